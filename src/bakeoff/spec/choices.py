"""Settings and choices, for modules that still import them from here."""

from bakeoff.spec.registry import parse_choice as parse_choice
from bakeoff.spec.settings import Frozen as Frozen
from bakeoff.spec.settings import Shown as Shown
from bakeoff.spec.settings import schema_of as schema_of
from bakeoff.spec.settings import validate as validate
