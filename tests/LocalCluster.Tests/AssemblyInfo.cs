// Most of these tests wait, for processes or the clock, and do not compute: more of them than cores run at a time.
[assembly: CollectionBehavior(MaxParallelThreads = 5)]
