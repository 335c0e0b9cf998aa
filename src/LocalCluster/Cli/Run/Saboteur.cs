using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Kubelet;
using Opt.LocalCluster.Kubelet.Processes;

namespace Opt.LocalCluster.Cli.Run;

/// <summary>Breaks things on purpose, once each, when the job has come far enough: one worker process, then one whole node.</summary>
internal sealed class Saboteur(Cluster cluster, string @namespace, string job, double? killWorkerAt, double? failNodeAt)
{
    private bool _workerKilled = killWorkerAt is null, _nodeFailed = failNodeAt is null;

    /// <summary>What was broken just now, for people; null when nothing was.</summary>
    public async Task<string?> ActAsync(JobView view, CancellationToken ct)
    {
        // Only between a committed checkpoint and the next: recovery from a checkpoint is what is to be seen.
        if (view.Phase != "Running" || view.CheckpointStep is null) return null;
        if (!_workerKilled && view.Fraction >= killWorkerAt) return await KillWorkerAsync(ct);
        if (_workerKilled && !_nodeFailed && view.Fraction >= failNodeAt) return await FailNodeAsync(ct);
        return null;
    }

    private async Task<string?> KillWorkerAsync(CancellationToken ct)
    {
        foreach (var pod in await PodsAsync(ct))
        {
            var worker = Nodes.AllProcessesOf((string)pod["metadata"]!["uid"]!).FirstOrDefault(p => p.CommandLine.Contains(" worker", StringComparison.Ordinal));
            if (worker.ProcessId == 0 || !Signals.Send(worker.ProcessId, Signals.Kill)) continue;
            _workerKilled = true;
            return $"killed worker process {worker.ProcessId} of pod {pod["metadata"]!["name"]} with SIGKILL";
        }

        return null;
    }

    private async Task<string?> FailNodeAsync(CancellationToken ct)
    {
        var pod = (await PodsAsync(ct)).FirstOrDefault(p => p["spec"]?["nodeName"] is not null);
        if (pod is null) return null;
        var node = (string)pod["spec"]!["nodeName"]!;
        await Nodes.KillAsync(node, ct);
        _nodeFailed = true;
        return $"failed node {node}, and pod {pod["metadata"]!["name"]} with it";
    }

    private ProcessNodes Nodes => cluster.Nodes ?? throw new InvalidOperationException("This cluster has no nodes.");

    private async Task<IEnumerable<JsonObject>> PodsAsync(CancellationToken ct)
    {
        var list = await cluster.Api.ListAsync(ResourceId.Pods, @namespace, ListQuery.All, ct);
        return list["items"]!.AsArray().OfType<JsonObject>()
            .Where(p => ((string?)p["metadata"]!["name"])!.StartsWith(job + "-", StringComparison.Ordinal) && (string?)p["status"]?["phase"] == "Running")
            .OrderByDescending(p => (string?)p["metadata"]!["name"], StringComparer.Ordinal);
    }
}
