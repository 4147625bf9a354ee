"""One run's directory, and every file that is written: whole or not at all, verified when read."""

from bakeoff.record.environment import data_folders as data_folders, environment as environment
from bakeoff.record.files import (
    atomic_file as atomic_file,
    exists as exists,
    make_folder as make_folder,
    parse_json as parse_json,
    read_bytes as read_bytes,
    strict_json as strict_json,
    write_atomic as write_atomic,
    write_json as write_json,
)
from bakeoff.record.folder import (
    FILES as FILES,
    FORMAT as FORMAT,
    check_files as check_files,
    check_weights as check_weights,
    earlier_note as earlier_note,
    find_origin as find_origin,
    find_runs as find_runs,
    only_writer as only_writer,
    read_finished as read_finished,
    read_outline as read_outline,
    read_run as read_run,
    remove_checkpoint as remove_checkpoint,
    set_aside as set_aside,
    status as status,
    tidy as tidy,
    write_description as write_description,
    write_finished as write_finished,
    write_history as write_history,
)
from bakeoff.record.run import Row as Row, Run as Run
