"""The buffer's bounds: do they leave room for one another?"""

from collections.abc import Iterator

from config.base import format_duration, format_size
from config.plant import Plant
from config.problems import Problem
from config.reading.document import Document


def check_buffer(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield bounds of the buffer that contradict each other."""
    buffer = plant.buffer
    written = buffer.model_fields_set
    if buffer.segment_bytes > buffer.max_bytes // 2:
        yield document.problem(
            "E-CF-0801",
            ("buffer", "segment_bytes" if "segment_bytes" in written else "max_bytes"),
            segment=format_size(buffer.segment_bytes),
            most=format_size(buffer.max_bytes),
        )
    for field, code in (("keep", "E-CF-0802"), ("segment_age", "E-CF-0803")):
        if getattr(buffer, field) > buffer.max_age:
            yield document.problem(
                code,
                ("buffer", field if field in written else "max_age"),
                age=format_duration(getattr(buffer, field)),
                most=format_duration(buffer.max_age),
            )
