"""The teacher's side: generates assignments, runs what students hand in, and marks it.

nbgrader generates the release, keeps the gradebook and writes the feedback. What is here stands
around it: a sandbox for student code, checks that run outside that sandbox, a driver for a whole
class. Two rules hold it together:

- student code never shares a process with a check. The check runs in the grader and calls the
  student's functions over a socket; only data (numbers, text, tensors) comes back (`wire`,
  `remote`);
- whatever a submission does, it ends in a mark and a message (`examine`, `batch`).

`grading.zygote`, and what it imports, holds no test and no solution: student processes are its
forks.
"""
