"""What a camera, a program or a person wrote into an image file: EXIF, IPTC and XMP, read within bounds.

Bad metadata gives missing values, never an error: it comes from strangers.
"""

from tintype.stages.metadata.reading import Metadata, orientation_of, read_metadata

__all__ = ["Metadata", "orientation_of", "read_metadata"]
