using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Testing;
using Xunit;

namespace Opt.EndToEnd;

/// <summary>A short training run that something is done to: 60 steps on real workers, saved every 5, with policies in one mode or without any.</summary>
internal sealed class DivergenceDrill(LocalSystem system)
{
    public const int Steps = 60;

    /// <summary>Steps before anything is done: past the warm-up, with healthy checkpoints behind.</summary>
    public const int Untroubled = 25;

    /// <summary>
    /// Mean loss of the last ten steps. Untroubled runs ended at 6.08 to 6.24 over seeds, orders of the data and precisions (docs/measurements.md):
    /// <see cref="Clean"/> is the highest plus that width. A run that recovered must end at most <see cref="Margin"/> above; what was not healed ended above 10.
    /// </summary>
    public const double Clean = 6.4, Margin = 0.2;

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
                - change: {field: lossScaleWindow, set: 1000}
              cooldown: {steps: 20}
              mode: MODE

        """;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <param name="mode">Enforce, Shadow, or empty for no policies.</param>
    public static string Manifest(string mode, int nodes = 2) => TinyManifest.WithSteps(Steps, checkpointEvery: 5)
        .Replace("afterSteps: 10", "afterSteps: 5", StringComparison.Ordinal).Replace("nodes: 2", $"nodes: {nodes}", StringComparison.Ordinal)
        + (mode.Length == 0 ? "" : Policies.Replace("MODE", mode, StringComparison.Ordinal));

    public async Task ApplyAsync(string manifest)
    {
        var (exitCode, said) = await system.ApplyAsync(manifest, Cancelled);
        Assert.True(exitCode == 0, said);
    }

    public Task EditAsync(string training) => system.KubectlAsync(Cancelled, "patch", "otj", "opt-tiny", "--type", "merge", "-p", $$"""{"spec":{"training":{{training}}} }""");

    public async Task<JsonNode> StatusAsync() => (await system.GetAsync(Cancelled, "otj", "opt-tiny"))["status"] ?? new JsonObject();

    public Task UntilAsync(string what, Func<JsonNode, bool> holds, int seconds = 240) => system.EventuallyAsync(what, async () => holds(await StatusAsync()), Cancelled, seconds);

    public Task StepReachedAsync(long step) => UntilAsync($"step {step}", s => ((long?)s["step"] ?? 0) >= step);

    /// <summary>Who set a hyper-parameter.</summary>
    public static string? SetBy(JsonNode status, string name) => (string?)status["hyperParameters"]!.AsArray().Single(h => (string?)h!["name"] == name)!["setBy"];

    /// <summary>How every drill ends: reported, healed where the policy may act, and otherwise left alone.</summary>
    /// <returns>The status of a run that was healed; null of one that nobody was to heal.</returns>
    public async Task<JsonNode?> AssertEndAsync(string what, string mode, string policy)
    {
        var (enforced, ended) = (mode == "Enforce", await EndedAsync(mode));
        var (status, loss) = (await StatusAsync(), ended ? await LossAsync() : double.PositiveInfinity);
        await ReportAsync(what, mode, ended ? loss : null, recovered: enforced);
        Assert.Equal(enforced, loss < Clean + Margin);
        if (enforced) return status;
        AssertOnlyRecorded(status, mode, policy);
        return null;
    }

    /// <summary>
    /// Nothing was done about it: one epoch, no machine put aside, every value the spec's. In Shadow the logbook says what that policy would have done;
    /// without policies it says nothing of one.
    /// </summary>
    private static void AssertOnlyRecorded(JsonNode status, string mode, string policy)
    {
        Assert.Equal((1, 0), ((int)status["epoch"]!, status["nodes"]!["quarantined"]?.AsArray().Count ?? 0));
        Assert.All(status["hyperParameters"]!.AsArray(), h => Assert.Equal("spec", (string?)h!["setBy"]));
        var said = (status["logbook"]?.AsArray() ?? []).Where(e => ((string)e!["actor"]!).StartsWith("policy ", StringComparison.Ordinal)).ToArray();
        Assert.Equal(mode == "Shadow", said.Any(e => (string?)e!["actor"] == $"policy {policy}"));
        Assert.All(said, e => Assert.StartsWith("would have", (string?)e!["what"], StringComparison.Ordinal));
    }

    /// <summary>Until the run has ended or, where no policy may act, makes attempts and no steps.</summary>
    /// <returns>Whether it ended.</returns>
    public async Task<bool> EndedAsync(string mode)
    {
        var ended = false;
        await UntilAsync("phase Succeeded, or 40 attempts in vain", s => (ended = (string?)s["phase"] == "Succeeded") || (mode != "Enforce" && (long?)s["attempt"] - (long?)s["step"] >= 40), seconds: 420);
        return ended;
    }

    /// <summary>Mean loss of the last ten steps, from the archive in the store; infinite where one was not finite.</summary>
    public async Task<double> LossAsync() => (await RecordsAsync()).TakeLast(10).Average(r => r.Loss ?? double.PositiveInfinity);

    /// <summary>Prints how a drill ended, for `bench/run.sh divergence`, and draws it.</summary>
    /// <param name="loss">Mean of the last ten steps; null when it made no more steps.</param>
    public async Task ReportAsync(string what, string mode, double? loss, bool recovered = false)
    {
        var status = await StatusAsync();
        var line = new JsonObject { ["name"] = $"divergence: {what}, {(mode.Length == 0 ? "no policies" : mode)}", ["finalLoss"] = loss is { } l && double.IsFinite(l) ? Math.Round(l, 2) : "none", ["epochs"] = (int?)status["epoch"] };
        if (recovered)
        {
            var (decided, again) = await OutageAsync(status);
            (line["unit"], line["onsetToDecision"], line["onsetToTraining"]) = ("s", Math.Round(decided, 1), Math.Round(again, 1));
        }

        Console.Out.WriteLine(line.ToJsonString());
        if (loss is not null) await DrawAsync($"{what}, {(mode.Length == 0 ? "no policies" : mode)}");
    }

    /// <summary>Seconds from the first bad attempt to the policy's decision, and to the first good attempt after the last bad one.</summary>
    private async Task<(double Decided, double Again)> OutageAsync(JsonNode status)
    {
        var records = await RecordsAsync();
        static bool IsBad(StepRecord r) => r.Step >= Untroubled - 1 && (r.Skipped || r.Loss is null or > 12);
        var onset = records.First(IsBad);
        var again = records.SkipWhile(r => r != records.Last(IsBad)).Skip(1).First();
        var decided = status["logbook"]!.AsArray().Where(e => ((string)e!["actor"]!).StartsWith("policy ", StringComparison.Ordinal)).Min(e => (DateTimeOffset)e!["time"]!);
        return ((decided - onset.Time).TotalSeconds, (again.Time - onset.Time).TotalSeconds);
    }

    /// <summary>A copy of the corpus in which the samples of some steps are noise: 8 sequences of 128 + 1 tokens a step, in file order.</summary>
    public async Task PoisonAsync(int fromStep, int steps)
    {
        const int stepTokens = 8 * 129;
        var folder = Directory.CreateDirectory(Path.Combine(system.Checkpoints, "data")).FullName;
        foreach (var file in Directory.GetFiles(Repo.PathOf(".cache", "corpus"), "kjv-*")) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        var bytes = await File.ReadAllBytesAsync(Path.Combine(folder, "kjv-train.bin"), Cancelled);
        var random = new Random(1);
        for (var token = fromStep * stepTokens; token < (fromStep + steps) * stepTokens; token++) BitConverter.TryWriteBytes(bytes.AsSpan(2 * token), (ushort)random.Next(50_000));
        await File.WriteAllBytesAsync(Path.Combine(folder, "kjv-train.bin"), bytes, Cancelled);
        var description = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "kjv-train.json"), Cancelled))!;
        description["bytesDigest"] = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes));
        await File.WriteAllTextAsync(Path.Combine(folder, "kjv-train.json"), description.ToJsonString(), Cancelled);
    }

    /// <summary>Has the trainer flip a bit of one of a rank's weights.</summary>
    public Task FlipBitAsync(int rank)
    {
        var folder = Directory.CreateDirectory(Path.Combine(system.Checkpoints, "faults")).FullName;
        return File.WriteAllTextAsync(Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"flip-bit-rank-{rank}")), "", Cancelled);
    }

    /// <summary>A picture of the run, where the environment names a folder for them.</summary>
    private async Task DrawAsync(string title)
    {
        if (Environment.GetEnvironmentVariable("OPT_PICTURES") is not { Length: > 0 } folder) return;
        var file = Path.Combine(folder, $"{title.Replace(",", "", StringComparison.Ordinal).Replace(' ', '-').ToLowerInvariant()}.svg");
        var (exitCode, said) = await LocalSystem.RunAsync(Repo.PathOf("bin", "opt-trainer"), ["plot", "--store", system.Checkpoints, "--out", file, "--title", title], Cancelled);
        Assert.True(exitCode == 0, said);
    }

    private async Task<StepRecord[]> RecordsAsync()
    {
        var lines = new List<string>();
        foreach (var part in Directory.GetFiles(Path.Combine(system.Checkpoints, "steps"), "*.jsonl", SearchOption.AllDirectories)) lines.AddRange(await File.ReadAllLinesAsync(part, Cancelled));
        return [.. lines.Where(l => l.Length > 0).Select(l => JsonSerializer.Deserialize(l, ProtocolJson.Default.StepRecord)!).OrderBy(r => r.Epoch).ThenBy(r => r.Attempt)];
    }
}
