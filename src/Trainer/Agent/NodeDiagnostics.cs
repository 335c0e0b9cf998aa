using System.Collections;
using System.Text.Json;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Trainer.Agent.Processes;
using Opt.Trainer.Diagnostics;
using Opt.Trainer.Workers;

namespace Opt.Trainer.Agent;

/// <summary>
/// Diagnostics of this node, one run at a time, in a process of their own: what breaks there (a crash in a library, a test that hangs) breaks nothing
/// here, and tells something about the node.
/// </summary>
internal sealed class NodeDiagnostics(AgentOptions options, AgentParts parts)
{
    /// <summary>Reports that are kept: those of a bisection beside the newest of the node itself.</summary>
    private const int Kept = 8;

    private const int SIGILL = 4, SIGBUS = 7, SIGFPE = 8, SIGSEGV = 11;

    /// <summary>The process ends by itself at its deadline; one that does not is killed this much later.</summary>
    private static readonly TimeSpan KillAfter = TimeSpan.FromSeconds(15);

    private readonly Lock _gate = new();
    private readonly List<DiagnosticsReport> _reports = [];
    private CancellationTokenSource? _stop;
    private bool _cancelled;

    public EquatableList<DiagnosticsReport> Reports
    {
        get
        {
            lock (_gate) return [.. _reports];
        }
    }

    public bool IsRunning => Reports.Any(r => r.State is DiagnosticsState.Running);

    public bool Knows(string id) => Reports.Any(r => r.Id == id);

    /// <summary>Shows the run as begun, so that nothing else is taken meanwhile.</summary>
    public void Announce(DiagnosticsRequest request)
    {
        lock (_gate) _cancelled = false;
        Put(new()
        {
            Id = request.Id, Set = request.Set, State = DiagnosticsState.Running, StartedAt = parts.Time.GetUtcNow(), With = request.Group is null ? [] : [.. CollectivesTest.Others(request.Group)],
        });
    }

    /// <summary>Ends the run under way, if one is: workers of a plan have precedence.</summary>
    public void Cancel()
    {
        lock (_gate)
        {
            _cancelled = true;
            _stop?.Cancel();
        }
    }

    /// <summary>Runs what was announced to its end; how it ended is in the reports.</summary>
    public async Task RunAsync(DiagnosticsRequest request)
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(request.DeadlineSeconds) + KillAfter, parts.Time);
        lock (_gate)
        {
            _stop = stop;
            if (_cancelled) stop.Cancel();   // a plan came between announcement and start
        }

        try
        {
            var log = Path.Combine(options.RunDirectory, "logs", "diagnostics.log");
            IReadOnlyList<string> command = [.. options.DiagnoseCommand, "--agent", "--request", JsonSerializer.Serialize(request, ProtocolJson.Default.DiagnosticsRequest)];
            var process = await WorkerProcess.StartAsync(0, command, Variables(), log, parts.Output, parts.Spawner, Take, "diagnostics");
            await using (stop.Token.Register(() => process.Signal(NativeProcess.SIGKILL))) Conclude(request.Id, await process.Ended, stop.IsCancellationRequested);
        }
        catch (IOException e)
        {
            Conclude(request.Id, new() { Test = "", Outcome = DiagnosticOutcome.Incomplete, Detail = e.Message });
        }
        finally
        {
            lock (_gate) _stop = null;
        }
    }

    /// <summary>Null when the request can be run, else what is wrong with it.</summary>
    public static string? Fault(DiagnosticsRequest request)
    {
        if (request.Id.Length is 0 or > 253) return $"id has {request.Id.Length} characters; 1 to 253 are allowed";
        if (request.DeadlineSeconds is not (>= 1 and <= 86400)) return $"deadlineSeconds is {request.DeadlineSeconds}; 1 to 86400 are allowed";
        if (request.Group is not { } group) return request.Set is DiagnosticsSet.Network ? "set network needs a group" : null;
        if (group.Members.Count < 2 || group.Members.Count != group.Addresses.Count) return $"group has {group.Members.Count} members and {group.Addresses.Count} addresses; as many of each are needed, and at least 2";
        if (group.Rank < 0 || group.Rank >= group.Members.Count) return $"group.rank is {group.Rank}; 0 to {group.Members.Count - 1} are allowed";
        return group.Port is < 1 or > 65535 ? $"group.port is {group.Port}; 1 to 65535 are allowed" : null;
    }

    private Dictionary<string, string> Variables()
    {
        var variables = new Dictionary<string, string>();
        foreach (DictionaryEntry inherited in Environment.GetEnvironmentVariables()) variables[(string)inherited.Key] = (string?)inherited.Value ?? "";
        variables[WorkerEnvironment.RunDirectoryVariable] = options.RunDirectory;
        variables["OPT_NODE_NAME"] = options.NodeName;
        foreach (var (name, value) in ThreadPools.Variables(options.ThreadsPerWorker ?? Math.Max(1, Environment.ProcessorCount / options.Workers))) variables[name] = value;
        return variables;
    }

    private void Take(WorkerReport report)
    {
        if (report.Diagnostics is { } diagnostics) Put(diagnostics);
    }

    private void Put(DiagnosticsReport report)
    {
        lock (_gate)
        {
            var at = _reports.FindIndex(r => r.Id == report.Id);
            if (at >= 0) _reports[at] = report;
            else _reports.Add(report);
            if (_reports.Count > Kept) _reports.RemoveAt(0);
        }
    }

    /// <summary>A process that ended without its last word died in the middle of a test.</summary>
    private void Conclude(string id, WorkerEnd end, bool killed)
    {
        var (outcome, how) = end switch
        {
            _ when killed => (DiagnosticOutcome.Incomplete, "ended by the agent"),
            { Signal: SIGILL or SIGBUS or SIGFPE or SIGSEGV } => (DiagnosticOutcome.Failed, $"ended by signal {end.Signal}"),
            { Signal: { } signal } => (DiagnosticOutcome.Incomplete, $"ended by signal {signal}"),
            _ => (DiagnosticOutcome.Incomplete, $"ended with exit code {end.Code}: {end.Tail.LastOrDefault(l => l.Length > 0)}"),
        };
        Conclude(id, new() { Test = Reports.First(r => r.Id == id).Running ?? "", Outcome = outcome, Detail = how.Length <= 400 ? how : how[..400] });
    }

    private void Conclude(string id, DiagnosticResult last)
    {
        var report = Reports.First(r => r.Id == id);
        if (report.State is not DiagnosticsState.Running) return;
        EquatableList<DiagnosticResult> tests = [.. report.Tests, last];
        Put(report with { Running = null, Tests = tests, State = DiagnosticsRun.Verdict(tests) });
    }
}
