using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios.Faults;

/// <summary>What people do to a job and its checkpoints, wisely or not.</summary>
internal sealed class People(Scenario world, string manifest)
{
    private readonly HashSet<(string Uid, long Generation)> _invalid = [];

    /// <summary>Generations of the spec that are not valid, by the job's uid.</summary>
    public IReadOnlySet<(string Uid, long Generation)> Invalid => _invalid;

    public async Task DoAsync(FaultStep step)
    {
        switch (step.Fault)
        {
            case WorldFault.CondemnCheckpoint when step.Pick < 30: await CondemnAsync(step.Pick); break;
            case WorldFault.DeleteCheckpointObject: await DeleteCheckpointAsync(step.Pick); break;
            case WorldFault.NewCluster when step.Pick < 40: await NewClusterAsync(); break;
            default: if (Edit(step) is { } spec) await EditAsync(spec); break;
        }
    }

    /// <summary>The job may run, and its spec is valid.</summary>
    public Task MendAsync() => EditAsync(_invalid.Count == 0 ? new() { ["suspend"] = false } : new() { ["suspend"] = false, ["checkpoint"] = new JsonObject { ["every"] = "auto" } });

    /// <summary>All that the cluster knew of the job is gone but its machines; the same manifest is applied over the store that is left.</summary>
    public async Task NewClusterAsync(string? other = null)
    {
        await world.Api.DeleteAsync(Scenario.Jobs, "ml", "opt", null, Scenario.User, TestContext.Current.CancellationToken);
        await world.CreateJobAsync((other ?? manifest).Replace("checkpoint: {store", "checkpoint: {adopt: true, store", StringComparison.Ordinal));
    }

    private static JsonObject? Edit(FaultStep step) => step.Fault switch
    {
        WorldFault.EditLive => new() { ["training"] = new JsonObject { ["gradientClip"] = 1 + step.Pick } },
        WorldFault.EditRelaunch => new() { ["training"] = new JsonObject { ["microBatchSequences"] = 1 + step.Pick % 4 } },
        WorldFault.EditTemplate when step.Pick < 30 => new() { ["pod"] = new JsonObject { ["image"] = $"opt-trainer:{step.Pick}" } },
        WorldFault.EditInvalid => new() { ["checkpoint"] = new JsonObject { ["every"] = step.Pick % 2 == 0 ? "sometimes" : "auto" } },
        WorldFault.Suspend when step.Pick < 30 => new() { ["suspend"] = true },
        WorldFault.Resume => new() { ["suspend"] = false },
        _ => null,
    };

    private async Task EditAsync(JsonObject spec)
    {
        var job = await world.EditJobAsync(new() { ["spec"] = spec });
        if ((string?)job["spec"]?["checkpoint"]?["every"] == "sometimes") _invalid.Add(((string)job["metadata"]!["uid"]!, (long)job["metadata"]!["generation"]!));
    }

    private async Task CondemnAsync(int pick)
    {
        if (await CheckpointAsync(pick) is not { } name) return;
        var spec = new JsonObject { ["condemned"] = new JsonObject { ["reason"] = "its data was poisoned" } };
        await world.Api.PatchAsync(Scenario.Checkpoints, "ml", name, PatchKind.Merge, new JsonObject { ["spec"] = spec }, Scenario.User, TestContext.Current.CancellationToken);
    }

    private async Task DeleteCheckpointAsync(int pick)
    {
        if (await CheckpointAsync(pick) is { } name) await world.Api.DeleteAsync(Scenario.Checkpoints, "ml", name, null, Scenario.User, TestContext.Current.CancellationToken);
    }

    private async Task<string?> CheckpointAsync(int pick)
    {
        var all = await world.ListAsync(Scenario.Checkpoints);
        return all.Count == 0 ? null : (string)all[pick % all.Count]["metadata"]!["name"]!;
    }
}
