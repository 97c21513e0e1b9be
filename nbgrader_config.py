"""The course, for nbgrader and rnngrade. Run their commands in this folder."""

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "rnn"
c.CourseDirectory.source_directory = "_build/source"  # made from solutions/ by `make exercises`
c.CourseDirectory.release_directory = "exercises"

# `nbgrader autograde`, and the formgrader's button: restored notebooks, run behind a wall.
c.Autograde.sanitize_preprocessors = ["rnngrade.plugins.Restore"]
c.Autograde.autograde_preprocessors = [
    "rnngrade.plugins.Execute",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
]
c.RnnGrade.limits = {"cell": 60, "total": 600}  # seconds

# Feedback that says what needs marking, without hidden tests, and with no program of a student's in any page.
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "rnngrade.plugins.NeedsMarking",
    "rnngrade.plugins.HideTests",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
c.HTMLExporter.sanitize_html = True
c.HTMLExporter.filters = {"markdown2html": "rnngrade.plugins.markdown"}

c.ExportApp.plugin_class = "rnngrade.plugins.CsvExport"
c.ZipCollectApp.extractor_plugin = "rnngrade.plugins.Extractor"
