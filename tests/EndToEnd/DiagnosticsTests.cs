using System.Text.Json.Nodes;
using Xunit;

namespace Opt.EndToEnd;

/// <summary>A node whose processor multiplies wrongly, found by the shipped programs.</summary>
public sealed class DiagnosticsTests : IAsyncLifetime
{
    private LocalSystem _system = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _system = await LocalSystem.StartAsync(nodes: 3, Cancelled);

    public ValueTask DisposeAsync() => _system.DisposeAsync();

    public static bool Soaks => Environment.GetEnvironmentVariable("OPT_SOAK") == "1";

    [Fact]
    public async Task A_node_whose_matrix_products_are_wrong_is_found_before_it_joins_and_quarantined_and_the_job_trains_without_it()
    {
        var faulty = (string)(await _system.GetAsync(Cancelled, "nodes"))["items"]![0]!["metadata"]!["name"]!;
        await BreakAsync(faulty);
        // As many pods as machines: the faulty one is asked, whichever the scheduler likes best.
        await ApplyAsync(Manifest.Replace("nodes: 2,", "nodes: 2, spareNodes: 1,", StringComparison.Ordinal).Replace("  data:\n", "  failurePolicy: {diagnostics: {firstLaunch: true}}\n  data:\n", StringComparison.Ordinal));
        await _system.EventuallyAsync("training on the others", async () => (long?)(await StatusAsync())["step"] >= 1, Cancelled, seconds: 240);

        Assert.Equal(1, (int?)(await StatusAsync())["epoch"]);
        Assert.DoesNotContain(faulty, await NodesAsync());
        await FoundAsync(faulty);
    }

    [Fact(SkipUnless = nameof(Soaks), Skip = "set OPT_SOAK=1")]
    public async Task Tests_that_are_asked_for_find_the_node_of_a_running_job_and_it_goes_on_without_it()
    {
        await ApplyAsync(Manifest);
        await _system.EventuallyAsync("step 12", async () => (long?)(await StatusAsync())["step"] >= 12, Cancelled);
        var faulty = (await NodesAsync())[0];
        await BreakAsync(faulty);
        await _system.KubectlAsync(Cancelled, "annotate", "otj", "opt-tiny", "request.training.opt-operator.io/diagnose=ask-1 quick");
        await _system.EventuallyAsync("training again without the node", async () =>
            (await StatusAsync()) is var now && (long?)now["epoch"] >= 2 && (string?)now["phase"] == "Running" && !(await NodesAsync()).Contains(faulty), Cancelled, seconds: 240);

        Assert.Contains($"faulty: {faulty}", (string?)Assert.Single((await StatusAsync())["handledRequests"]!.AsArray())!["answer"], StringComparison.Ordinal);
        await FoundAsync(faulty);
    }

    private static string Manifest => TinyManifest.WithSteps(100_000, checkpointEvery: 50, sequences: 2)
        .Replace("            env:\n", "            env:\n              - {name: OPT_FAULT_FOLDER, value: /checkpoints/faults}\n", StringComparison.Ordinal);

    private async Task FoundAsync(string faulty)
    {
        var quarantined = Assert.Single((await StatusAsync())["nodes"]!["quarantined"]!.AsArray())!;
        Assert.Equal(faulty, (string?)quarantined["name"]);
        Assert.Contains("matrixProduct: cpu: wrong digest", (string?)quarantined["reason"], StringComparison.Ordinal);
        Assert.True((bool?)(await _system.GetAsync(Cancelled, "node", faulty))["spec"]!["unschedulable"]);
    }

    private async Task ApplyAsync(string manifest)
    {
        var (exitCode, said) = await _system.ApplyAsync(manifest, Cancelled);
        Assert.True(exitCode == 0, said);
    }

    private async Task BreakAsync(string node)
    {
        Directory.CreateDirectory(Path.Combine(_system.Checkpoints, "faults"));
        await File.WriteAllTextAsync(Path.Combine(_system.Checkpoints, "faults", $"diagnose-matrixProduct-{node}"), "", Cancelled);
    }

    private async Task<JsonNode> StatusAsync() => (await _system.GetAsync(Cancelled, "otj", "opt-tiny"))["status"] ?? new JsonObject();

    private async Task<IReadOnlyList<string>> NodesAsync() => [.. (await _system.GetAsync(Cancelled, "pods"))["items"]!.AsArray().Select(p => (string?)p!["spec"]!["nodeName"]).OfType<string>()];
}
