"""CSV files, row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from bakeoff.data.images import MOST_PICTURES
from bakeoff.errors import BakeoffError
from bakeoff.files import opened

MOST_BYTES = 1 << 28
"""Of a CSV file: 128 a row, for as many rows as pictures are read."""


def csv_rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, its cells without blanks around them, and the number of its last line.

    Raises BakeoffError, naming the file and the fault, for what is no CSV file in UTF-8 or larger than the bounds.
    """
    with opened(file) as stream:
        if stream.seek(0, io.SEEK_END) > MOST_BYTES:
            raise BakeoffError(f"{file} has more than {MOST_BYTES:,} bytes, the most that a CSV file may have")
        stream.seek(0)
        reader = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""), strict=True)
        try:
            for count, row in enumerate(filter(None, reader)):
                if count > MOST_PICTURES:
                    raise BakeoffError(f"{file} has more than {MOST_PICTURES:,} rows, the most that are read")
                yield reader.line_num, [cell.strip() for cell in row]
        except (csv.Error, UnicodeDecodeError) as error:
            raise BakeoffError(f"{file} is not a readable CSV file in UTF-8 ({error})") from error
