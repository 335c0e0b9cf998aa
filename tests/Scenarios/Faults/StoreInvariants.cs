using System.Text.Json;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Scenarios.World;

namespace Opt.Scenarios.Faults;

/// <summary>
/// What must hold of the checkpoints: nothing that was not committed is named anywhere (2), nothing goes but by the trainer's own retention, which leaves the last two
/// healthy ones (3), and no older epoch commits behind a newer one's fence (1).
/// </summary>
internal sealed class StoreInvariants(Scenario world)
{
    private IReadOnlyList<CheckpointSummary> _before = [];

    public async Task CheckAsync(OptTrainingJobStatus status)
    {
        var (committed, retired, _) = world.Agents.History;
        Fences(committed);
        Kept(retired);
        if (status.LastCheckpoint is { } last) Invariants.Holds(committed.Any(c => (c.Step, c.Epoch) == (last.Step, last.Epoch)), 2, $"the status names a checkpoint of step {last.Step} and epoch {last.Epoch}, which was never committed");
        foreach (var item in await world.ListAsync(Scenario.Checkpoints))
        {
            if (item["status"]?.Deserialize(SpecJson.Default.OptCheckpointStatus) is not { } shown) continue;
            Invariants.Holds(committed.Any(c => (c.ManifestDigest, c.Step, c.Entry) == (shown.ManifestDigest, shown.Step, shown.Entry)), 2, $"{item["metadata"]!["name"]} was never committed");
        }
    }

    public void Resumes(RunPlan plan)
    {
        if (plan.Resume is not { } resume) return;
        Invariants.Holds(world.Agents.History.Committed.Any(c => c.ManifestDigest == resume.ManifestDigest), 2, $"epoch {plan.Epoch} goes on from {resume.ManifestDigest}, which was never committed");
    }

    private static void Fences(IReadOnlyList<CheckpointSummary> committed)
    {
        for (var i = 1; i < committed.Count; i++) Invariants.Holds(committed[i].Epoch >= committed[i - 1].Epoch, 1, $"epoch {committed[i].Epoch} committed step {committed[i].Step} after epoch {committed[i - 1].Epoch} had committed");
    }

    private void Kept(IReadOnlyList<(CheckpointSummary Checkpoint, int NewerHealthy)> retired)
    {
        var now = world.Agents.Commits;
        foreach (var lost in _before.Where(b => now.All(c => c.Entry != b.Entry))) Invariants.Holds(retired.Any(r => r.Checkpoint.Entry == lost.Entry), 3, $"the checkpoint of step {lost.Step} is gone, and the trainer did not retire it");
        // What counts is how it was then: people may have condemned it, or one of those that came after it, since it was looked at last.
        foreach (var (lost, newer) in retired.Where(r => r.Checkpoint.Verdict is HealthVerdict.Healthy)) Invariants.Holds(newer >= 2, 3, $"the healthy checkpoint of step {lost.Step} is gone, and there were no two newer ones");
        _before = now;
    }
}
