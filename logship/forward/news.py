"""What people are told of that is as it should be, apart from what is wrong."""


class News(str):
    """A notice of something that is as it should be: a line of level info. Every other notice is a warning."""

    __slots__ = ()
