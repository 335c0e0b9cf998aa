using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Testing;
using Xunit;

namespace Opt.EndToEnd;

/// <summary>
/// Training that truly diverges, on real workers: with policies it recovers, without it does not, in Shadow it only records. Run with
/// OPT_SOAK=1; pictures go to the folder named by OPT_PICTURES.
/// </summary>
public sealed class DivergenceTests : IAsyncLifetime
{
    private const int Steps = 100;

    private const string Policies = """
          divergencePolicies:
            - name: explosion
              when: {any: [{loss: {notFinite: true, forSteps: 2}}, {loss: {above: 12, forSteps: 2}}]}
              then:
                - rollback: {to: lastHealthy}
                - learningRate: {multiply: 0.001, floor: 1.0e-4}
              cooldown: {steps: 20}
              mode: MODE
            - name: overflow-storm
              when: {skippedRate: {above: 0.5, window: 20}}
              then:
                - lossScale: 4
                - change: {field: lossScaleFloor, set: 0.25}
              cooldown: {steps: 20}
              mode: MODE
        """;

    private LocalSystem _system = null!;

    public static bool Soaks => Environment.GetEnvironmentVariable("OPT_SOAK") == "1";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _system = await LocalSystem.StartAsync(nodes: 3, Cancelled);

    public ValueTask DisposeAsync() => _system.DisposeAsync();

    [Fact(SkipUnless = nameof(Soaks), Skip = "set OPT_SOAK=1")]
    public async Task An_untroubled_run_ends_at_the_loss_that_the_others_are_held_to()
    {
        await ApplyAsync(Manifest("Enforce"));
        await EndedAsync();
        Assert.InRange(await LossAsync("clean"), Clean - Margin, Clean);
        Assert.Equal(1, (int)(await StatusAsync())["epoch"]!);
    }

    [Theory(SkipUnless = nameof(Soaks), Skip = "set OPT_SOAK=1")]
    [InlineData("Enforce")]
    [InlineData("Shadow")]
    [InlineData("")]
    public async Task A_learning_rate_a_thousand_times_too_high_is_rolled_back_and_lowered_only_when_a_policy_may(string mode)
    {
        await ApplyAsync(Manifest(mode));
        await StepReachedAsync(45);
        await _system.KubectlAsync(Cancelled, "patch", "otj", "opt-tiny", "--type", "merge", "-p", """{"spec":{"training":{"learningRate":{"peak":3.0}}}}""");
        // Without a policy that acts it may never come to an end.
        if (mode == "Enforce") await EndedAsync();
        else await _system.EventuallyAsync("thirty more steps, or none any more", async () => await StatusAsync() is var now && ((long?)now["step"] >= 78 || (int?)now["restarts"]?["total"] > 0), Cancelled);

        var status = await StatusAsync();
        var loss = mode == "Enforce" ? await LossAsync("rate") : (double?)status["loss"] ?? double.PositiveInfinity;
        Assert.Equal(mode == "Enforce", loss < Clean + Margin);
        if (mode == "Enforce") Assert.Equal(2, (int)status["epoch"]!);
        if (mode.Length > 0) Assert.Contains(status["logbook"]!.AsArray(), e => (string?)e!["actor"] == "policy explosion" && ((string)e["what"]!).StartsWith("would have", StringComparison.Ordinal) == (mode == "Shadow"));
        if (mode == "Enforce") Assert.Equal("policy explosion", Set(status, "peakLearningRate"));
    }

    [Fact(SkipUnless = nameof(Soaks), Skip = "set OPT_SOAK=1")]
    public async Task A_bit_flipped_in_one_workers_weights_costs_its_node_and_no_hyper_parameter()
    {
        await ApplyAsync(Manifest("Enforce").Replace("          - name: trainer\n", "          - name: trainer\n            env:\n              - {name: OPT_FAULT_FOLDER, value: /checkpoints/faults}\n", StringComparison.Ordinal));
        await StepReachedAsync(45);
        Directory.CreateDirectory(Path.Combine(_system.Checkpoints, "faults"));
        await File.WriteAllTextAsync(Path.Combine(_system.Checkpoints, "faults", "flip-bit-rank-1"), "", Cancelled);
        await EndedAsync();

        var (status, loss) = (await StatusAsync(), await LossAsync("bit-flip"));
        Assert.InRange(loss, 0, Clean + Margin);
        Assert.Equal("DivergenceHardware", (string?)Assert.Single(status["restarts"]!["byCause"]!.AsArray())!["cause"]);
        Assert.Single(status["nodes"]!["quarantined"]!.AsArray());
        Assert.Equal("spec", Set(status, "peakLearningRate"));
    }

    [Theory(SkipUnless = nameof(Soaks), Skip = "set OPT_SOAK=1")]
    [InlineData("Enforce")]
    [InlineData("")]
    public async Task An_overflow_storm_ends_when_a_policy_resets_the_loss_scale(string mode)
    {
        await ApplyAsync(Manifest(mode).Replace("precision: fp32", "precision: fp16\n    lossScale: {initial: 16777216, floor: 16777216}", StringComparison.Ordinal));
        if (mode.Length == 0)
        {
            await _system.EventuallyAsync("a relaunch because scaling gave up", async () => ((await StatusAsync())["restarts"]?["byCause"]?.AsArray() ?? []).Any(c => (string?)c!["cause"] == "Numerical"), Cancelled);
            Assert.Equal(0, (long?)(await StatusAsync())["step"] ?? 0);
            return;
        }

        await EndedAsync();
        var (status, loss) = (await StatusAsync(), await LossAsync("overflow-storm"));
        Assert.InRange(loss, 0, Clean + Margin);
        Assert.Equal((1, "policy overflow-storm", "spec"), ((int)status["epoch"]!, Set(status, "lossScaleFloor"), Set(status, "peakLearningRate")));
    }

    [Theory(SkipUnless = nameof(Soaks), Skip = "set OPT_SOAK=1")]
    [InlineData("Enforce")]
    [InlineData("")]
    public async Task A_poisoned_stretch_of_the_corpus_is_skipped_by_a_policy_and_read_to_the_end_without(string mode)
    {
        await PoisonAsync(fromStep: 80, steps: 30);
        var manifest = Manifest(mode).Replace("- learningRate: {multiply: 0.001, floor: 1.0e-4}", "- skipData: {alsoNext: 40}", StringComparison.Ordinal)
            .Replace("root: /data", "root: /checkpoints/data\n    order: sequential", StringComparison.Ordinal);
        await ApplyAsync(manifest);
        await EndedAsync();

        var (status, loss) = (await StatusAsync(), await LossAsync($"poison-{mode}"));
        Assert.Equal(mode == "Enforce", loss < Clean + Margin);
        Assert.Equal("spec", Set(status, "peakLearningRate"));
        Assert.Equal(mode == "Enforce" ? 2 : 1, (int)status["epoch"]!);
    }

    /// <summary>A copy of the corpus in which the samples of some steps are noise: 8 sequences of 128 + 1 tokens a step, in file order.</summary>
    private async Task PoisonAsync(int fromStep, int steps)
    {
        const int stepTokens = 8 * 129;
        var folder = Directory.CreateDirectory(Path.Combine(_system.Checkpoints, "data")).FullName;
        foreach (var file in Directory.GetFiles(Repo.PathOf(".cache", "corpus"), "kjv-*")) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        var bytes = await File.ReadAllBytesAsync(Path.Combine(folder, "kjv-train.bin"), Cancelled);
        var random = new Random(1);
        for (var token = fromStep * stepTokens; token < (fromStep + steps) * stepTokens; token++) BitConverter.TryWriteBytes(bytes.AsSpan(2 * token), (ushort)random.Next(50_000));
        await File.WriteAllBytesAsync(Path.Combine(folder, "kjv-train.bin"), bytes, Cancelled);
        var description = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "kjv-train.json"), Cancelled))!;
        description["bytesDigest"] = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes));
        await File.WriteAllTextAsync(Path.Combine(folder, "kjv-train.json"), description.ToJsonString(), Cancelled);
    }

    /// <summary>Above the mean loss of the last ten steps of an untroubled run, and how far above that a recovered run may end.</summary>
    private const double Clean = 6.3, Margin = 0.4;

    private static string Manifest(string mode) => TinyManifest.WithSteps(Steps, checkpointEvery: 10) + (mode.Length == 0 ? "" : Policies.Replace("MODE", mode, StringComparison.Ordinal) + "\n");

    private async Task ApplyAsync(string manifest)
    {
        var (exitCode, said) = await _system.ApplyAsync(manifest, Cancelled);
        Assert.True(exitCode == 0, said);
    }

    private async Task<JsonNode> StatusAsync() => (await _system.GetAsync(Cancelled, "otj", "opt-tiny"))["status"] ?? new JsonObject();

    private Task StepReachedAsync(long step) => _system.EventuallyAsync($"step {step}", async () => ((long?)(await StatusAsync())["step"] ?? 0) >= step, Cancelled);

    private Task EndedAsync() => _system.EventuallyAsync("phase Succeeded", async () => (string?)(await StatusAsync())["phase"] == "Succeeded", Cancelled, seconds: 180);

    private static string? Set(JsonNode status, string name) => (string?)status["hyperParameters"]!.AsArray().Single(h => (string?)h!["name"] == name)!["setBy"];

    /// <summary>Mean loss of the last ten steps, from the archive in the store; a picture of the run where asked for.</summary>
    private async Task<double> LossAsync(string picture)
    {
        if (Environment.GetEnvironmentVariable("OPT_PICTURES") is { Length: > 0 } folder)
        {
            await LocalSystem.RunAsync(Repo.PathOf("bin", "opt-trainer"), ["plot", "--store", _system.Checkpoints, "--out", Path.Combine(folder, $"{picture.TrimEnd('-')}.svg"), "--title", picture], Cancelled);
        }

        var records = Directory.GetFiles(Path.Combine(_system.Checkpoints, "steps"), "*.jsonl", SearchOption.AllDirectories).SelectMany(File.ReadLines).Where(l => l.Length > 0)
            .Select(l => JsonSerializer.Deserialize(l, ProtocolJson.Default.StepRecord)!).OrderBy(r => r.Epoch).ThenBy(r => r.Attempt).TakeLast(10).ToArray();
        return records.Average(r => r.Loss ?? double.PositiveInfinity);
    }
}
