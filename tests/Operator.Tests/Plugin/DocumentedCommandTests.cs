using Opt.Operator.Tests.Live;
using Opt.Testing;
using Xunit;

namespace Opt.Operator.Tests.Plugin;

/// <summary>The kubectl commands of the documents, typed one after the other against an API server that holds a job in the middle of its life.</summary>
public sealed class DocumentedCommandTests
{
    [Fact]
    public async Task Every_kubectl_command_of_the_documents_that_needs_no_pods_works()
    {
        await using var cluster = await LiveCluster.StartAsync();
        await SampleJob.ApplyAsync(cluster);
        await cluster.KubectlAsync("apply", "-f", cluster.Write("checkpoint.yaml", "apiVersion: training.opt-operator.io/v1alpha1\nkind: OptCheckpoint\nmetadata: {name: opt-tiny, labels: {training.opt-operator.io/job: opt-tiny}}\n"));
        await cluster.KubectlAsync("patch", "otj", "opt-tiny", "--subresource=status", "--type=merge", "-p", """{"status":{"conditions":[{"type":"Succeeded","status":"True","reason":"Done","message":"","lastTransitionTime":"2026-01-01T00:00:00Z","observedGeneration":1}]}}""");
        Dictionary<string, string> environment = new()
        {
            ["KUBECONFIG"] = cluster.Kubeconfig, ["KUBE_EDITOR"] = "true", ["PATH"] = $"{Repo.PathOf(".cache", "tools")}:{Environment.GetEnvironmentVariable("PATH")}",
        };

        var commands = Listed().ToArray();
        Assert.True(commands.Length > 20, "the list is not read");
        foreach (var command in commands)
        {
            var (exitCode, output, error) = await LiveCluster.RunAsync("/bin/sh", ["-c", $"cd '{Repo.PathOf()}' && {command}"], environment);
            Assert.True(exitCode == 0, $"{command}: {error}{output}");
        }
    }

    /// <summary>The section <c>live</c> of <c>tests/Layout/commands.txt</c>, with the names that are here.</summary>
    private static IEnumerable<string> Listed() => File.ReadAllText(Repo.PathOf("tests", "Layout", "commands.txt")).Split("\n[live]\n")[1].Split("\n[")[0].Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(c => c.Replace("NAMESPACE", "default", StringComparison.Ordinal).Replace("opt-175b", "opt-tiny", StringComparison.Ordinal).Replace("NAME", "opt-tiny", StringComparison.Ordinal).Replace("NODE", "node-9", StringComparison.Ordinal));
}
