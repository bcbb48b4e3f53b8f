"""What a process tells Prometheus, read by Prometheus's own parser."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
"""Values by the sample's name and its labels, sorted."""


class Scraped:
    """The answer of `/metrics`."""

    def __init__(self, text: str) -> None:
        self._families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples: Samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self._families.values()
            for sample in family.samples
        }

    @property
    def names(self) -> set[str]:
        """Of the metrics that have at least one sample, as the registry knows them."""
        return {name for name, family in self._families.items() if family.samples}

    def value(self, name: str, **labels: str) -> float | None:
        """Of one sample; None where there is none."""
        return self.samples.get((name, tuple(sorted(labels.items()))))

    def labels(self, name: str, label: str) -> set[str]:
        """Every value that a label has in the samples of that name."""
        return {dict(labels)[label] for of, labels in self.samples if of == name}


def scrape(url: str) -> Scraped:
    """Ask as Prometheus does: without a key."""
    answer = httpx.get(url, timeout=10)
    assert 200 == answer.status_code, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return Scraped(answer.text)
