using Opt.Api;
using Opt.Api.Protocol;
using Opt.Torch;
using static Opt.Torch.torch;

namespace Opt.Trainer.Diagnostics;

/// <summary>
/// Runs the tests of a set, one after the other, on a thread of its own, and tells after each how far it is. A test that hangs in native code cannot be
/// stopped from here: the run ends without it, and the process with the run.
/// </summary>
internal sealed class DiagnosticsRun(DiagnosticsRequest request, string scratch, DiagnosticFaults faults, TimeProvider time, Action<DiagnosticsReport> progress)
{
    /// <summary>A test notices the deadline within this, unless it hangs.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private DiagnosticsReport _report = new()
    {
        Id = request.Id, Set = request.Set, State = DiagnosticsState.Running, StartedAt = time.GetUtcNow(), With = request.Group is null ? [] : [.. CollectivesTest.Others(request.Group)],
    };

    private DiagnosticsReport Report
    {
        get
        {
            lock (_gate) return _report;
        }
    }

    /// <summary>Answers within the deadline and a few seconds.</summary>
    /// <exception cref="TorchUnavailableException">libtorch or the shim is missing.</exception>
    public async Task<DiagnosticsReport> RunAsync(CancellationToken ct)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(request.DeadlineSeconds), time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        var tests = OnOwnThread(() => RunAll(stop.Token));
        using var hung = new CancellationTokenSource(TimeSpan.FromSeconds(request.DeadlineSeconds) + Grace, time);
        try
        {
            await tests.WaitAsync(hung.Token);
        }
        catch (OperationCanceledException) when (hung.IsCancellationRequested)
        {
            Update(r => Ended(r, new() { Test = r.Running ?? "", Outcome = DiagnosticOutcome.Incomplete, Seconds = request.DeadlineSeconds, Detail = "did not end, and could not be stopped" }));
        }

        Update(r => r with { State = Verdict(r.Tests) });
        return Report;
    }

    internal static DiagnosticsState Verdict(IReadOnlyList<DiagnosticResult> tests)
    {
        if (tests.Any(t => t.Outcome is DiagnosticOutcome.Failed)) return DiagnosticsState.Failed;
        return tests.Any(t => t.Outcome is DiagnosticOutcome.Incomplete) || tests.Count == 0 ? DiagnosticsState.Incomplete : DiagnosticsState.Passed;
    }

    private static IEnumerable<IDiagnosticTest> Tests(DiagnosticsRequest request)
    {
        if (request.Set is not DiagnosticsSet.Network)
        {
            yield return new DevicesTest();
            yield return new MemoryTest();
            yield return new MatrixProductTest();
            yield return new DiskTest();
            yield return new TrainingStepTest();
        }

        if (request.Group is not null) yield return new CollectivesTest();
    }

    private void RunAll(CancellationToken stop)
    {
        Directory.CreateDirectory(scratch);
        var count = has_feature("cuda") ? cuda.device_count() : 0;
        var context = new DiagnosticContext(Effort.Of(request.Set), scratch, faults, time, stop)
        {
            Devices = count == 0 ? [CPU] : [.. Enumerable.Range(0, count).Select(i => new Device(DeviceType.CUDA, i))],
            Group = request.Group,
            Patience = TimeSpan.FromSeconds(Math.Max(1, request.DeadlineSeconds / 2)),
        };
        foreach (var test in Tests(request))
        {
            Update(r => r with { Running = test.Name });
            var started = time.GetTimestamp();
            var finding = Run(test, context);
            Update(r => Ended(r, new()
            {
                Test = test.Name, Outcome = finding.Outcome, Seconds = Math.Round(time.GetElapsedTime(started).TotalSeconds, 2), Detail = Short(finding.Detail), Digest = finding.Digest, Environment = finding.Environment,
            }));
        }
    }

    private static Finding Run(IDiagnosticTest test, DiagnosticContext context)
    {
        try
        {
            return context.Stop.IsCancellationRequested ? new(DiagnosticOutcome.Incomplete, "the deadline had passed") : test.Run(context);
        }
        catch (OperationCanceledException)
        {
            return new(DiagnosticOutcome.Incomplete, "ended at the deadline");
        }
        catch (Exception e) when (e is TorchOutOfMemoryException or OutOfMemoryException)
        {
            return new(DiagnosticOutcome.Incomplete, $"out of memory: {e.Message}");
        }
        catch (Exception e) when (e is TorchException and not TorchUnavailableException)
        {
            return Finding.Bad(e.Message);
        }
    }

    private static DiagnosticsReport Ended(DiagnosticsReport report, DiagnosticResult result) => report with { Running = null, Tests = [.. report.Tests, result] };

    private static string Short(string detail) => detail.ReplaceLineEndings(" ") is var line && line.Length > 400 ? line[..400] : line;

    private void Update(Func<DiagnosticsReport, DiagnosticsReport> change)
    {
        DiagnosticsReport now;
        lock (_gate) now = _report = change(_report);
        progress(now);
    }

    private static Task OnOwnThread(Action run)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                run();
                done.SetResult();
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        }, maxStackSize: 16 << 20) { IsBackground = true, Name = "diagnostics" }.Start();
        return done.Task;
    }
}
