"""Models: the one file that defines one, its features, training and artifact format."""

from tasuki.models.default_answer import DefaultAnswer as DefaultAnswer
from tasuki.models.definition import Model as Model
from tasuki.models.definition import Target as Target
from tasuki.models.features import category as category
from tasuki.models.features import count_over as count_over
from tasuki.models.features import cross as cross
from tasuki.models.features import day_of_week as day_of_week
from tasuki.models.features import hour_of_day as hour_of_day
from tasuki.models.features import number as number
from tasuki.models.features import time_part as time_part
