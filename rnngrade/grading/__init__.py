"""From what students handed in to marks: `submission` grades one of them, `batch` a class, `gradebook` writes it down."""
