using Opt.KubectlOpt.Cli;
using Opt.Operator.Tests.Live;
using Xunit;

namespace Opt.Operator.Tests.Plugin;

public sealed class LogbookRightsTests
{
    [Fact]
    public async Task Whoever_may_see_the_job_but_no_ConfigMaps_is_shown_what_the_status_holds_and_told_what_is_missing()
    {
        await using var cluster = await LiveCluster.StartAsync(rbac: true);
        await SampleJob.ApplyAsync(cluster);
        await cluster.KubectlAsync("patch", "otj", "opt-tiny", "--subresource=status", "--type=json", "-p", "[{\"op\": \"remove\", \"path\": \"/status/logbook/0\"}]");   // the first launch is on a page
        await cluster.KubectlAsync("create", "role", "seer", "--verb=get,list", "--resource=opttrainingjobs.training.opt-operator.io");
        await cluster.KubectlAsync("create", "rolebinding", "seer", "--role=seer", "--user=bob");

        using StringWriter output = new(), error = new();
        var exitCode = await Root.InvokeAsync(new(output, error, IsInteractive: false, TimeProvider.System), ["logbook", "opt-tiny", "--kubeconfig", cluster.KubeconfigOf("bob")], TestContext.Current.CancellationToken);

        Assert.Equal((ExitCodes.Done, ""), (exitCode, error.ToString()));
        Assert.Contains("launched epoch 3", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("Older entries are in ConfigMaps, which you may not list in default", output.ToString(), StringComparison.Ordinal);
    }
}
