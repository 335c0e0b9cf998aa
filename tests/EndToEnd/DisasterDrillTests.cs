using System.Text.Json.Nodes;
using Xunit;

namespace Opt.EndToEnd;

/// <summary>The cluster is deleted; what is left is the checkpoint store. docs/upgrade.md, "From a store to a new cluster".</summary>
public sealed class DisasterDrillTests : IDisposable
{
    private readonly string _store = Directory.CreateTempSubdirectory("opt-drill-").FullName;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_store, recursive: true);

    [Fact]
    public async Task A_new_cluster_with_the_old_store_resumes_at_the_newest_checkpoint_once_it_is_told_to_adopt_it()
    {
        var manifest = TinyManifest.WithSteps(steps: 100_000, checkpointEvery: 10, sequences: 2);
        long epoch, saved;
        await using (var old = await LocalSystem.StartAsync(nodes: 2, Cancelled, _store))
        {
            Assert.Equal(0, (await old.ApplyAsync(manifest, Cancelled)).ExitCode);
            await old.EventuallyAsync("a checkpoint at step 20", async () => (long?)(await StatusAsync(old))?["lastCheckpoint"]?["step"] >= 20, Cancelled);
            var status = await StatusAsync(old);
            (epoch, saved) = ((long)status!["epoch"]!, (long)status["lastCheckpoint"]!["step"]!);
            await old.DestroyAsync(Cancelled);
        }

        await using var cluster = await LocalSystem.StartAsync(nodes: 2, Cancelled, _store);
        Assert.Equal(0, (await cluster.ApplyAsync(manifest, Cancelled)).ExitCode);
        await cluster.EventuallyAsync("the store is refused", async () => (await ConditionAsync(cluster, "StoreReady"))?["message"]?.ToString().Contains("adopt", StringComparison.Ordinal) == true, Cancelled);
        Assert.Equal(0, (long?)(await StatusAsync(cluster))?["step"] ?? 0);

        var adopting = manifest.Replace("  checkpoint:\n", "  checkpoint:\n    adopt: true\n", StringComparison.Ordinal);
        Assert.NotEqual(manifest, adopting);
        Assert.Equal(0, (await cluster.ApplyAsync(adopting, Cancelled)).ExitCode);
        await cluster.EventuallyAsync("a further checkpoint", async () => (long?)(await StatusAsync(cluster))?["lastCheckpoint"]?["epoch"] > epoch, Cancelled, seconds: 240);

        var now = (await StatusAsync(cluster))!;
        var resumed = ResumedAt(await cluster.GetAsync(Cancelled, "configmap", $"opt-tiny-plan-{now["epoch"]}"));
        Assert.True(resumed >= saved, $"resumed at {resumed}, saved at {saved}");
        Assert.True((long)now["lastCheckpoint"]!["step"]! > resumed, $"step {now["lastCheckpoint"]!["step"]} saved after {resumed}");
    }

    private static long ResumedAt(JsonNode plan) => (long)JsonNode.Parse((string)plan["data"]!["plan.json"]!)!["resume"]!["step"]!;

    private static async Task<JsonNode?> StatusAsync(LocalSystem system) => (await system.GetAsync(Cancelled, "otj", "opt-tiny"))["status"];

    private static async Task<JsonNode?> ConditionAsync(LocalSystem system, string type) =>
        (await StatusAsync(system))?["conditions"]?.AsArray().FirstOrDefault(c => (string?)c!["type"] == type);
}
