using Microsoft.Extensions.Logging;
using Opt.LocalCluster.Cli;

namespace Opt.LocalCluster.Tests.Cli;

public sealed class ClusterLogTests
{
    [Fact]
    public void Warnings_reach_the_console_and_the_file_and_information_only_the_file()
    {
        var folder = Directory.CreateTempSubdirectory("opt-log-").FullName;
        using var console = new StringWriter();
        using (var loggers = ClusterLog.Create(folder, console, TimeProvider.System))
        {
            var log = loggers.CreateLogger("Opt.LocalCluster.Kubelet.ProcessNode");
            log.LogInformation("plain");
            log.LogError(new IOException("no space"), "could not take in its pods");
            log.LogDebug("detail");
        }

        var file = File.ReadAllText(ClusterLog.PathIn(folder));
        Assert.Contains(" info ProcessNode[0] plain", file, StringComparison.Ordinal);
        Assert.Contains(" fail ProcessNode[0] could not take in its pods\nSystem.IO.IOException: no space", file, StringComparison.Ordinal);
        Assert.DoesNotContain("detail", file, StringComparison.Ordinal);
        Assert.DoesNotContain("plain", console.ToString(), StringComparison.Ordinal);
        Assert.Contains("no space", console.ToString(), StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }
}
