"""The course, for plain nbgrader. Run its commands in this folder."""

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "rnn"
c.CourseDirectory.source_directory = "_build/source"  # made from solutions/ by `make exercises`
c.CourseDirectory.release_directory = "exercises"

c.Execute.timeout = 60  # seconds for one cell; then it is interrupted, earns 0, and the rest goes on
c.LimitOutput.max_lines = 400
c.LimitOutput.max_traceback = 20
