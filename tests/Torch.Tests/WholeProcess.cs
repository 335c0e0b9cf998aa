using Xunit;

namespace Opt.Torch.Tests;

/// <summary>Tests that read counters of the whole process, or set its modes, run alone.</summary>
[CollectionDefinition(nameof(WholeProcess), DisableParallelization = true)]
public sealed class WholeProcess;
