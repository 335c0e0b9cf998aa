using Xunit;

// Virtual time moves when the thread pool is quiet: two worlds at once would hold each other up.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
