using System.Globalization;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Trainer.Workers;

namespace Opt.Trainer.Loop;

/// <summary>
/// The link of a worker that <c>opt-trainer train</c> started: records go to a file as JSON lines and to standard error as text, nothing
/// controls it, and the end of its standard input says that the starter is gone.
/// </summary>
internal sealed class LocalChannel : IWorkerChannel
{
    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(1);
    private readonly CancellationTokenSource _starterGone = new();
    private readonly StreamWriter? _steps;
    private readonly TimeProvider _time;
    private readonly bool _quiet;
    private long _lastLine;
    private StepRecord? _unsaid;

    /// <param name="stepsFile">Where records go; null for nowhere. Rank 0 only.</param>
    public LocalChannel(string? stepsFile, bool quiet, TimeProvider time)
    {
        (_time, _quiet) = (time, quiet);
        if (stepsFile is not null) _steps = new(stepsFile, append: true) { AutoFlush = true };
        new Thread(WatchStarter) { IsBackground = true, Name = "starter" }.Start();
    }

    public CancellationToken AgentLost => _starterGone.Token;

    public void ReportState(WorkerState state)
    {
    }

    public void ReportRestoreProgress(double share)
    {
    }

    public void ReportStep(StepRecord record)
    {
        _steps?.WriteLine(JsonSerializer.Serialize(record, ProtocolJson.Default.StepRecord));
        _unsaid = record;
        if (_time.GetElapsedTime(_lastLine) >= BetweenLines || record.Validation.Count > 0) Say();
    }

    public void ReportAttempt(long attempt)
    {
    }

    public void ReportFailure(WorkerExit exit, string message)
    {
    }

    public bool TryTakeControl(out ControlRequest request)
    {
        request = null!;
        return false;
    }

    public ValueTask DisposeAsync()
    {
        Say();
        _steps?.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Say()
    {
        if (_quiet || _unsaid is not { } r) return;
        (_lastLine, _unsaid) = (_time.GetTimestamp(), null);
        var validation = string.Concat(r.Validation.Select(v => string.Create(CultureInfo.InvariantCulture, $"  {v.Corpus} {v.Loss:F4}")));
        var scale = r.LossScale == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"  scale {r.LossScale:G4}");
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"step {r.Step}/{r.HyperParameters.TotalSteps}  loss {r.Loss:F4}  lr {r.LearningRate:0.00e0}  gnorm {r.GradientNorm:F3}{scale}  {r.TokensPerSecond:F0} tok/s{(r.Skipped ? "  skipped" : "")}{validation}"));
    }

    private void WatchStarter()
    {
        using var input = Console.OpenStandardInput();
        var buffer = new byte[64];
        while (input.Read(buffer) > 0)
        {
        }

        _starterGone.Cancel();
    }
}
