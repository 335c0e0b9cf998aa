using System.Diagnostics;
using Opt.Api.Protocol;
using Opt.Trainer.Tests.Data;
using Xunit;

namespace Opt.Trainer.Tests.Loop;

public sealed class TrainCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TrainCommandTests()
    {
        TinyRun.RequireTorch();
        TinyRun.WriteTokens(_folder);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Two_processes_give_the_losses_of_one_and_a_resumed_run_goes_on_where_it_was()
    {
        var ct = TestContext.Current.CancellationToken;
        await Expect(0, "train", "--config", Write("one", steps: 8), "--steps-out", _folder["one.jsonl"], "--quiet");
        await Expect(0, "train", "--config", Write("two", steps: 8), "--workers", "2", "--steps-out", _folder["two.jsonl"], "--quiet");
        Same(TrainProcess.Steps(_folder["one.jsonl"]), TrainProcess.Steps(_folder["two.jsonl"]));
        await Expect(0, "train", "--config", Write("four", steps: 8, tensorParallel: 2), "--workers", "4", "--steps-out", _folder["four.jsonl"], "--quiet");
        Same(TrainProcess.Steps(_folder["one.jsonl"]), TrainProcess.Steps(_folder["four.jsonl"]));
        await Expect(0, "train", "--config", Write("one", steps: 12), "--workers", "2", "--resume", "latest", "--steps-out", _folder["on.jsonl"], "--quiet");
        await Expect(0, "train", "--config", Write("two", steps: 12), "--resume", "8", "--steps-out", _folder["too.jsonl"], "--quiet");
        var (on, too) = (TrainProcess.Steps(_folder["on.jsonl"]), TrainProcess.Steps(_folder["too.jsonl"]));
        Assert.Equal((9L, 9L, 63L, "1.2"), (on[0].Attempt, on[0].Step, on[0].Samples, on[0].Lineage));
        Same(on, too);

        async Task Expect(int code, params string[] arguments)
        {
            var (exit, error) = await TrainProcess.RunAsync(ct, arguments);
            Assert.True(exit == code, $"{string.Join(' ', arguments)}: exit {exit}: {error}");
        }
    }

    [Fact]
    public async Task A_killed_worker_ends_all_the_others_within_seconds_and_is_named()
    {
        var ct = TestContext.Current.CancellationToken;
        var train = TrainProcess.Start("train", "--config", Write("killed", steps: 100_000), "--workers", "3", "--steps-out", _folder["killed.jsonl"], "--quiet");
        var end = TrainProcess.EndAsync(train, ct);
        while (!File.Exists(_folder["killed.jsonl"]) || new FileInfo(_folder["killed.jsonl"]).Length == 0)
        {
            Assert.False(end.IsCompleted, "training ended by itself");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, ct);
        }

        var workers = TrainProcess.Children(train.Id);
        Assert.Equal([0, 1, 2], workers.Keys.Order());
        Process.GetProcessById(workers[2]).Kill();
        var killed = TimeProvider.System.GetTimestamp();
        var (code, error) = await end;
        Assert.InRange(TimeProvider.System.GetElapsedTime(killed), TimeSpan.Zero, TimeSpan.FromSeconds(30));   // a collective would wait for minutes
        Assert.Equal(128 + 9, code);
        var lines = error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains("opt-trainer: rank 2 was ended by signal 9", lines);
        Assert.InRange(lines.Count(l => l.StartsWith("opt-trainer: peer-lost: ", StringComparison.Ordinal)), 1, 2);
        Assert.All(workers.Values, pid => Assert.False(Directory.Exists($"/proc/{pid}"), $"worker {pid} is still there"));
    }

    [Fact]
    public async Task A_model_survives_export_and_import_and_can_be_trained_on_and_evaluated()
    {
        var ct = TestContext.Current.CancellationToken;
        var config = Write("fresh", steps: 2);
        Assert.Equal(0, (await TrainProcess.RunAsync(ct, "init", "--config", config, "--seed", "7", "--output", _folder["a"])).ExitCode);
        Assert.Equal(0, (await TrainProcess.RunAsync(ct, "export", "--checkpoint", _folder["a"], "--output", _folder["hf"])).ExitCode);
        Assert.Equal(0, (await TrainProcess.RunAsync(ct, "import", "--model", _folder["hf"], "--output", _folder["b"])).ExitCode);
        Assert.Equal(0, (await TrainProcess.RunAsync(ct, "export", "--checkpoint", _folder["b"], "--output", _folder["hf2"])).ExitCode);
        Assert.Equal(File.ReadAllBytes(Path.Combine(_folder["hf"], "model.safetensors")), File.ReadAllBytes(Path.Combine(_folder["hf2"], "model.safetensors")));
        Assert.Equal(0, (await TrainProcess.RunAsync(ct, "train", "--config", config, "--resume", _folder["hf"], "--steps-out", _folder["s.jsonl"], "--quiet")).ExitCode);
        Assert.Equal(Math.Log(96), TrainProcess.Steps(_folder["s.jsonl"])[0].Loss!.Value, 0.05);
        Assert.Equal(0, (await TrainProcess.RunAsync(ct, "evaluate", "--model", _folder["hf"], "--data", _folder["tokens"], "--sequence-length", "16")).ExitCode);
    }

    [Theory]
    [InlineData("model: {preset: opt-9000m}", WorkerExit.Configuration, "opt-9000m")]
    [InlineData("model: {layers: 0, hiddenSize: 32, heads: 4}", WorkerExit.Configuration, "layers: 0")]
    [InlineData("model: {layers: 1, hiddenSize: 32, heads: 5}", WorkerExit.Configuration, "heads: 5")]
    [InlineData("modle: {}", WorkerExit.Configuration, "modle")]
    [InlineData("data: {train: [{path: nowhere}]}", WorkerExit.Data, "nowhere")]
    [InlineData("training: {batchTokens: 112, sequenceLength: 64, learningRate: {peak: 0.001}}", WorkerExit.Configuration, "sequenceLength")]
    public async Task Bad_input_ends_with_its_code_and_one_line_that_names_the_field(string section, WorkerExit exit, string named)
    {
        var file = _folder["bad.yaml"];
        var key = section[..section.IndexOf(':', StringComparison.Ordinal)];
        File.WriteAllText(file, string.Join('\n', File.ReadLines(Write("x", 1)).Where(l => !l.StartsWith($"{key}:", StringComparison.Ordinal)).Append(section)));
        var (code, error) = await TrainProcess.RunAsync(TestContext.Current.CancellationToken, "train", "--config", file, "--quiet");
        Assert.True((int)exit == code, error);
        Assert.Contains(named, error, StringComparison.Ordinal);
        Assert.Contains(Opt.Trainer.Cli.ExitCodes.Name(exit), error, StringComparison.Ordinal);
        Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private static void Same(StepRecord[] a, StepRecord[] b)
    {
        Assert.Equal(a.Length, b.Length);
        Assert.All(a.Zip(b), pair =>
        {
            Assert.Equal((pair.First.Step, pair.First.Samples), (pair.Second.Step, pair.Second.Samples));
            Assert.Equal(1, pair.Second.Loss!.Value / pair.First.Loss!.Value, 1e-5);
        });
    }

    private string Write(string store, int steps, int tensorParallel = 1)
    {
        File.WriteAllText(_folder["train.yaml"], $$"""
            model: {layers: 2, hiddenSize: 32, heads: 4, vocabSize: 96, maxPositions: 32}
            topology: {tensorParallel: {{tensorParallel}}}
            data: {root: "{{_folder.Path}}", train: [{path: tokens}]}
            training: {batchTokens: 112, sequenceLength: 16, totalTokens: 100000, precision: fp32, microBatchSequences: 2, learningRate: {peak: 0.004, warmup: {steps: 2 } } }
            checkpoint: {every: {steps: 5}, store: {directory: {path: "{{_folder[$"store-{store}"]}}" } } }
            maxSteps: {{steps}}
            """);
        return _folder["train.yaml"];
    }
}
