// Real processes on two cores, found by their names: one system at a time.
[assembly: Xunit.CollectionBehavior(DisableTestParallelization = true)]
