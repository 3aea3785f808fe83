"""Nothing is broken: no cause may be raised."""
from lab.row import Row

ROWS = [
    Row("plain", "the image as it is", "", ci=True),
]
