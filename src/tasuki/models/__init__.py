"""Models: the one file that defines one, its features, training and artifact format."""

from tasuki.models.definition import Model as Model
from tasuki.models.definition import Target as Target
from tasuki.models.definition import category as category
from tasuki.models.definition import cross as cross
from tasuki.models.definition import hour_of_day as hour_of_day
from tasuki.models.definition import number as number
