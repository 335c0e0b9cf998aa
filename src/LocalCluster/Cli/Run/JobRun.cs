using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;

namespace Opt.LocalCluster.Cli.Run;

/// <summary>One job from apply to its end: follows its status, breaks what it was asked to break, and keeps what the summary needs.</summary>
internal sealed class JobRun(Cluster cluster, OperatorProcess @operator, RunOptions options, TimeProvider clock)
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(500);
    private readonly SortedDictionary<long, double> _losses = [];

    /// <summary>Loss at each step that was seen, the last value where a step ran twice.</summary>
    public IReadOnlyList<(long Step, double Loss)> Losses => [.. _losses.Select(l => (l.Key, l.Value))];

    /// <summary>Applies the manifest and follows its job until it Succeeded or Failed.</summary>
    /// <exception cref="UsageException">The operator ended.</exception>
    public async Task<JobView> FollowAsync(Manifest definitions, Manifest manifest, IRunView view, CancellationToken ct)
    {
        var job = manifest.Single("OptTrainingJob");
        var (resource, space, name) = (Manifest.ResourceOf(job, definitions), Manifest.NamespaceOf(job), (string)job["metadata"]!["name"]!);
        await manifest.ApplyAsync(cluster.Api, definitions, ct);
        view.Say($"applied {options.Manifest}");
        var saboteur = new Saboteur(cluster, space, name, options.KillWorkerAt, options.FailNodeAt);
        var heard = new HashSet<LogEntry>();
        while (true)
        {
            if (@operator.Exited.IsCompleted) throw new UsageException($"the operator ended with exit code {await @operator.Exited}; its log: {Path.Combine(options.StateDirectory, "opt-operator.log")}");
            var now = JobView.Of(await cluster.Api.GetAsync(resource, space, name, ct));
            foreach (var entry in now.Logbook.Where(heard.Add)) view.Say($"logbook: {entry.What}: {entry.Why}");
            if (now is { Loss: { } loss, Step: > 0 }) _losses[now.Step] = loss;
            view.Show(now);
            if (now.IsFinished) return now;
            if (await saboteur.ActAsync(now, ct) is { } broken) view.Say(broken);
            await Task.Delay(Pace, clock, ct);
        }
    }
}
