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
    /// Mean loss of the last ten steps: an untroubled run ends between 6.0 and 6.3 (order of the data and precision move it), and a run that
    /// recovered must end at most this far above.
    /// </summary>
    public const double Clean = 6.45, Margin = 0.4;

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

    public Task EndedAsync() => UntilAsync("phase Succeeded", s => (string?)s["phase"] == "Succeeded", seconds: 420);

    /// <summary>Attempts go by and no step does.</summary>
    public Task StuckForAsync(int attempts) => UntilAsync($"{attempts} attempts in vain", s => (long?)s["attempt"] - (long?)s["step"] >= attempts);

    /// <summary>Who set a hyper-parameter.</summary>
    public static string? SetBy(JsonNode status, string name) => (string?)status["hyperParameters"]!.AsArray().Single(h => (string?)h!["name"] == name)!["setBy"];

    /// <summary>Whether the logbook has an entry of that policy, and whether it says what it would have done.</summary>
    public static (bool Told, bool InShadow) Logbook(JsonNode status, string policy)
    {
        var said = (status["logbook"]?.AsArray() ?? []).Where(e => (string?)e!["actor"] == $"policy {policy}").Select(e => (string)e!["what"]!).ToArray();
        return (said.Length > 0, said.Length > 0 && said.All(w => w.StartsWith("would have", StringComparison.Ordinal)));
    }

    /// <summary>Mean loss of the last ten steps, from the archive in the store; infinite where one was not finite.</summary>
    public async Task<double> LossAsync(string picture)
    {
        await DrawAsync(picture);
        return (await RecordsAsync()).TakeLast(10).Average(r => r.Loss ?? double.PositiveInfinity);
    }

    /// <summary>Seconds by the trainer's clock from the first bad attempt to the first good one after the last bad one.</summary>
    public async Task<double> OutageAsync(string name)
    {
        var records = await RecordsAsync();
        static bool IsBad(StepRecord r) => r.Skipped || r.Loss is null or > 12;
        var onset = records.First(IsBad);
        var again = records.SkipWhile(r => r != records.Last(IsBad)).Skip(1).First();
        var seconds = (again.Time - onset.Time).TotalSeconds;
        Console.Out.WriteLine(new JsonObject { ["name"] = $"divergence, {name}: onset to training again", ["unit"] = "s", ["median"] = Math.Round(seconds, 1), ["samples"] = 1 }.ToJsonString());
        return seconds;
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
    public async Task DrawAsync(string picture)
    {
        if (Environment.GetEnvironmentVariable("OPT_PICTURES") is not { Length: > 0 } folder) return;
        var (exitCode, said) = await LocalSystem.RunAsync(Repo.PathOf("bin", "opt-trainer"), ["plot", "--store", system.Checkpoints, "--out", Path.Combine(folder, $"{picture}.svg"), "--title", picture], Cancelled);
        Assert.True(exitCode == 0, said);
    }

    private async Task<StepRecord[]> RecordsAsync()
    {
        var lines = new List<string>();
        foreach (var part in Directory.GetFiles(Path.Combine(system.Checkpoints, "steps"), "*.jsonl", SearchOption.AllDirectories)) lines.AddRange(await File.ReadAllLinesAsync(part, Cancelled));
        return [.. lines.Where(l => l.Length > 0).Select(l => JsonSerializer.Deserialize(l, ProtocolJson.Default.StepRecord)!).OrderBy(r => r.Epoch).ThenBy(r => r.Attempt)];
    }
}
