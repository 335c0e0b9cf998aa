using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Kubelet.Probes;
using Opt.LocalCluster.Kubelet.Processes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Pods;

/// <summary>One run of a container: its process, its log and its probes.</summary>
internal sealed class ContainerInstance : IAsyncDisposable
{
    private readonly CancellationTokenSource _over = new();
    private readonly Action<PodMessage> _post;
    private readonly Func<string, string, string, Task> _warn;
    private readonly TimeProvider _clock;
    private readonly ContainerLog _log;
    private readonly ProcessSpec _spec;
    private readonly List<Task> _work = [];
    private ContainerProcess? _process;
    private LifecycleHooks? _hooks;
    private volatile bool _started;

    /// <param name="warn">Records an event: container, reason, message.</param>
    public ContainerInstance(ContainerState container, ProcessSpec spec, ContainerLog log, TimeProvider clock, Action<PodMessage> post, Func<string, string, string, Task> warn) =>
        (Container, _spec, _log, _clock, _post, _warn) = (container, spec, log, clock, post, warn);

    public ContainerState Container { get; }

    public string Name => Container.Name;

    /// <summary>The process id of the container's main process.</summary>
    public int ProcessId => _process?.Id ?? 0;

    /// <summary>When it is killed if it has not ended by itself; null while nobody stops it.</summary>
    public DateTimeOffset? StopBy { get; private set; }

    /// <exception cref="IOException">The program cannot be started.</exception>
    public void Start(string podIp, HttpClient http)
    {
        try
        {
            _process = ContainerProcess.Start(_spec, _log, _clock);
        }
        catch
        {
            _log.Dispose();
            throw;
        }

        _work.Add(ReportExitAsync(_process));
        var probes = ProbeSpec.Of(Container.Spec).ToList();
        _started = probes.TrueForAll(p => p.Kind != ProbeKind.Startup);
        var runner = new ProbeRunner(http, ExecuteAsync, _clock);
        _hooks = new LifecycleHooks(runner, Container.Spec, podIp, _clock);
        _work.Add(AfterStartAsync(_hooks));
        _work.AddRange(probes.Select(probe => ProbeAsync(runner, probe, podIp)));
    }

    /// <summary>The startup probe has succeeded: the others begin.</summary>
    public void MarkStarted() => _started = true;

    /// <summary>Asks the container to end: preStop, then its stop signal; <see cref="KillIfDue"/> does the rest. Without any grace it is killed. A second call may only shorten the time.</summary>
    public void Stop(TimeSpan grace)
    {
        var by = _clock.GetUtcNow() + grace;
        if (StopBy is { } before)
        {
            if (by < before) StopBy = by;
            return;
        }

        StopBy = by;
        if (grace <= TimeSpan.Zero) Kill();
        else _work.Add(AskToStopAsync(grace));
    }

    public void KillIfDue()
    {
        if (StopBy <= _clock.GetUtcNow()) _process?.Kill();
    }

    public void Kill() => _process?.Kill();

    /// <summary>Runs a command as if inside the container: its environment, its directory, its end.</summary>
    public async Task<(int Code, string Output)> ExecuteAsync(IReadOnlyList<string> command, TimeSpan timeout, CancellationToken ct)
    {
        var program = Executable.Resolve(command[0], _spec.WorkingDirectory, _spec.Environment.GetValueOrDefault("PATH") ?? "");
        if (program is null) return (127, $"exec: \"{command[0]}\": executable file not found in $PATH");
        var file = Path.GetTempFileName();
        using var log = new ContainerLog(file, _clock);
        try
        {
            using var process = ContainerProcess.Start(_spec with { Executable = program, Arguments = [.. command.Skip(1)], Marker = $"{_spec.Marker}/exec-{Guid.NewGuid():N}" }, log, _clock);
            try
            {
                var code = await process.Exited.WaitAsync(timeout, _clock, ct);
                return (code, string.Concat(await LogReader.ReadAsync(file, new PodLogOptions(), () => true, _clock, ct).ToListAsync(ct)).TrimEnd('\n'));
            }
            finally
            {
                process.Kill();
            }
        }
        catch (TimeoutException)
        {
            throw new OperationCanceledException($"{command[0]} did not end within {timeout}.");
        }
        catch (IOException e)
        {
            return (126, e.Message);
        }
        finally
        {
            File.Delete(file);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        _process?.Kill();
        await Task.WhenAll(_work);
        _process?.Dispose();
        _log.Dispose();
        _over.Dispose();
    }

    private async Task ReportExitAsync(ContainerProcess process)
    {
        var code = await process.Exited;
        await _over.CancelAsync();
        _log.Dispose();
        _post(new PodMessage.Exited(this, code, _clock.GetUtcNow()));
    }

    private async Task AskToStopAsync(TimeSpan grace)
    {
        try
        {
            if (await _hooks!.RunAsync("preStop", grace, _over.Token) is { } wrong) await _warn(Name, "FailedPreStopHook", $"PreStopHook failed: {wrong}");
        }
        catch (OperationCanceledException) when (_over.IsCancellationRequested)
        {
            // It ended meanwhile.
        }

        _process?.Signal(Signals.Named(Container.Spec.Text("lifecycle", "stopSignal")));
    }

    private async Task AfterStartAsync(LifecycleHooks hooks)
    {
        try
        {
            if (await hooks.RunAsync("postStart", Timeout.InfiniteTimeSpan, _over.Token) is not { } wrong) return;
            await _warn(Name, "FailedPostStartHook", $"PostStartHook failed: {wrong}");
            Kill();
        }
        catch (OperationCanceledException) when (_over.IsCancellationRequested)
        {
            // It ended before its hook did.
        }
    }

    private async Task ProbeAsync(ProbeRunner runner, ProbeSpec probe, string podIp)
    {
        var counter = new ProbeCounter(probe);
        try
        {
            await Task.Delay(probe.InitialDelay, _clock, _over.Token);
            while (true)
            {
                if (_started || probe.Kind == ProbeKind.Startup)
                {
                    var wrong = await runner.AskAsync(probe, Container.Spec, podIp, _over.Token);
                    if (wrong is not null && StopBy is null) await _warn(Name, "Unhealthy", $"{probe.Kind} probe failed: {wrong}");
                    if (counter.Note(wrong is null) is { } verdict) _post(new PodMessage.Probed(this, probe, verdict));
                    if (_started && probe.Kind == ProbeKind.Startup) return;
                }

                await Task.Delay(probe.Period, _clock, _over.Token);
            }
        }
        catch (OperationCanceledException) when (_over.IsCancellationRequested)
        {
            // The container has ended, and its probes with it.
        }
    }
}
