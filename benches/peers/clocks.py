"""Wall and CPU time of repeated passes over the same rows; the best of each is kept."""
import resource, time


def cpu_seconds(who=resource.RUSAGE_SELF):
    r = resource.getrusage(who)
    return r.ru_utime + r.ru_stime


def best_of(repeat, rows, score):
    """score(row) -> summed loss, a number or a tensor that a device may still compute. Returns (wall seconds, CPU seconds, summed loss); one
    row is run first, unmeasured."""
    score(rows[0])
    wall, cpu = float("inf"), float("inf")
    for _ in range(repeat):
        c, t = cpu_seconds(), time.perf_counter()
        total = float(sum(score(r) for r in rows))       # waits for the device
        wall, cpu = min(wall, time.perf_counter() - t), min(cpu, cpu_seconds() - c)
    return wall, cpu, total
