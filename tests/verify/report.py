"""What the verifier found, for people and for programs."""

import json
from dataclasses import asdict, dataclass, field

FINDINGS = 20
"""Examples kept of each kind."""


@dataclass(slots=True)
class Report:
    """What was found, in rows unless it says otherwise."""

    messages: int = 0
    accepted: int = 0
    arrived: int = 0
    """Different keys."""
    lost: int = 0
    doubled: int = 0
    """Raw repeats of a key."""
    doubled_after_upsert: int = 0
    """The same version of a device's values under more than one key."""
    mutated: int = 0
    """Repeats of a key with other content."""
    reordered: int = 0
    """Messages whose seq is not above that of the device's and stream's message before."""
    wrong: int = 0
    """Not what the plant served."""
    altered: int = 0
    """Not what was stored."""
    unverified: int = 0
    """Values the rule says nothing of, or of a version no message tells."""
    not_in_store: int = 0
    """Arrived, but in no copy of the store: accepted after the last copy."""
    gaps: dict[str, int] = field(default_factory=dict)
    """By device: versions served between the first and the last that arrived, and never seen."""
    latency_ms: dict[str, float] = field(default_factory=dict)
    """From the journal's time to the subscriber, of live messages that are no repeat: p50, p99, max."""
    findings: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        bad = (
            self.lost + self.wrong + self.altered + self.mutated + self.reordered + self.doubled_after_upsert
        )
        return self.arrived > 0 and bad == 0

    def found(self, kind: str, text: str) -> None:
        examples = self.findings.setdefault(kind, [])
        if len(examples) < FINDINGS:
            examples.append(text)

    def json(self) -> str:
        return json.dumps({"ok": self.ok, **asdict(self)}, indent=2)

    def markdown(self) -> str:
        rows = {name: value for name, value in asdict(self).items() if isinstance(value, int)}
        rows |= {f"latency {name} (ms)": f"{value:.2f}" for name, value in self.latency_ms.items()}
        rows |= {"gaps (versions)": sum(self.gaps.values()), "verdict": "pass" if self.ok else "FAIL"}
        table = [f"| {name.replace('_', ' ')} | {value} |" for name, value in rows.items()]
        examples = [f"- {kind}: {text}" for kind, texts in self.findings.items() for text in texts]
        return "\n".join(["| | |", "|---|---|", *table, *([""] if examples else []), *examples, ""])
