using Opt.Api.Protocol;
using Opt.Trainer.Cli;
using Xunit;

namespace Opt.Trainer.Tests.Cli;

public sealed class ExitCodeTests
{
    /// <summary>/dev/full refuses every write as a full disk does.</summary>
    [Fact]
    public void A_full_disk_has_an_exit_code_of_its_own()
    {
        var failure = Assert.ThrowsAny<IOException>(() => File.WriteAllText("/dev/full", "more"));
        Assert.Equal(WorkerExit.DiskFull, ExitCodes.Of(failure));
        Assert.Equal(WorkerExit.DiskFull, ExitCodes.Of(new AggregateException(failure)));
        Assert.Equal(WorkerExit.Internal, ExitCodes.Of(new IOException("something else")));
        Assert.Equal("opt-trainer: disk-full: no room", ExitCodes.Line(WorkerExit.DiskFull, "no room"));
    }
}
