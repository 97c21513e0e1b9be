"""From what students handed in to marks: `submission` grades one, `batch` a class, `gradebook` writes it down."""
