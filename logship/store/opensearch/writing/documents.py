"""The records of bulk requests as bytes, and how they are parted."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Documents:
    """Records as a bulk request carries them: each is a line that says where it goes, and a line that it is."""

    pieces: list[bytes] = field(default_factory=list)
    """The lines of one record or more, each."""
    count: int = 0
    indices: set[str] = field(default_factory=set)
    size: int = 0
    """Bytes of all pieces."""

    def add(self, piece: bytes, count: int) -> None:
        """Adds the lines of some records."""
        self.pieces.append(piece)
        self.count += count
        self.size += len(piece)

    def join(self, other: Documents) -> None:
        """Adds others at the end."""
        self.pieces += other.pieces
        self.count += other.count
        self.indices |= other.indices
        self.size += other.size

    def lines(self) -> list[bytes]:
        """The two lines of each record."""
        found = []
        for piece in self.pieces:
            lines = piece.split(b"\n")  # JSON escapes those of values
            found += [b"%b\n%b\n" % both for both in zip(lines[::2], lines[1::2], strict=False)]
        return found

    def split(self, most_bytes: int) -> list[Documents]:
        """The same in parts, none of which is larger that need not be."""
        if self.size <= most_bytes:
            return [self] if self.pieces else []
        parts = [Documents(indices=self.indices)]
        for line in self.lines():
            if parts[-1].size + len(line) > most_bytes and parts[-1].count:
                parts.append(Documents(indices=self.indices))
            parts[-1].add(line, 1)
        return parts
