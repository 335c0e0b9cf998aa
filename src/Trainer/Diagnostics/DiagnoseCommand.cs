using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Trainer.Cli;
using Opt.Trainer.Workers;

namespace Opt.Trainer.Diagnostics;

/// <summary><c>opt-trainer diagnose</c>: whether this node computes, remembers, stores and sends what it should.</summary>
internal static partial class DiagnoseCommand
{
    private static readonly Option<DiagnosticsSet> s_set = new("--set") { Description = "quick (seconds), full (about a minute), or network (collectives only)", DefaultValueFactory = _ => DiagnosticsSet.Quick };
    private static readonly Option<int> s_deadline = new("--deadline") { Description = "Seconds after which the run ends", DefaultValueFactory = _ => 300 };
    private static readonly Option<string?> s_scratch = new("--scratch") { Description = "Folder on the disk to test; default OPT_RUN_DIR, else the temporary folder" };
    private static readonly Option<bool> s_json = new("--json") { Description = "One JSON object a member, and no table" };
    private static readonly Option<int> s_members = new("--members") { Description = "Processes of this machine that test collectives with each other", DefaultValueFactory = _ => 1 };
    private static readonly Option<string?> s_addresses = new("--addresses") { Description = "Comma-separated addresses of all machines that test together; the first serves the rendezvous" };
    private static readonly Option<int> s_rank = new("--rank") { Description = "Which of --addresses this machine is, from 0" };
    private static readonly Option<int> s_port = new("--port") { Description = "Rendezvous port of --addresses", DefaultValueFactory = _ => 23456 };
    private static readonly Option<string?> s_request = new("--request") { Hidden = true };
    private static readonly Option<bool> s_agent = new("--agent") { Hidden = true };

    public static Command Create()
    {
        var command = new Command("diagnose", "Tests this machine: devices, memory, matrix products, disk, a training step, collectives. Ends with 84 when a test finds a fault")
        {
            s_set, s_deadline, s_scratch, s_json, s_members, s_addresses, s_rank, s_port, s_request, s_agent,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult r, CancellationToken ct)
    {
        var request = RequestOf(r);
        if (r.GetValue(s_members) > 1) return await LocalMembers.RunAsync(r.GetValue(s_members), request, r.GetValue(s_json), ct);
        await using var channel = r.GetValue(s_agent) ? WorkerChannel.Open(WorkerDescriptor(), TimeProvider.System) : null;
        await using var lost = channel?.AgentLost.Register(() => ExitAtOnce((int)WorkerExit.AgentLost));
        Action<DiagnosticsReport> progress = channel is not null ? channel.ReportDiagnostics : r.GetValue(s_json) ? _ => { } : new ReportText(Console.Error).Progress;
        var scratch = r.GetValue(s_scratch) ?? (Environment.GetEnvironmentVariable(WorkerEnvironment.RunDirectoryVariable) is { Length: > 0 } folder ? folder : Path.GetTempPath());
        var report = await new DiagnosticsRun(request, scratch, DiagnosticFaults.FromEnvironment(), TimeProvider.System, progress).RunAsync(ct);
        if (r.GetValue(s_json)) Console.Out.WriteLine(JsonSerializer.Serialize(report, ProtocolJson.Default.DiagnosticsReport));
        else if (channel is null) ReportText.Table(Console.Out, report);
        if (channel is not null) await channel.DisposeAsync();
        Console.Out.Flush();
        ExitAtOnce((int)ExitOf([report]));   // a test that hangs in native code would hold up a tidy end
        return 0;
    }

    internal static WorkerExit ExitOf(IReadOnlyList<DiagnosticsReport> reports)
    {
        if (reports.Any(r => r.State is DiagnosticsState.Failed)) return WorkerExit.NodeFaulty;
        return reports.All(r => r.State is DiagnosticsState.Passed) ? WorkerExit.Success : WorkerExit.DiagnosticsIncomplete;
    }

    private static DiagnosticsRequest RequestOf(ParseResult r)
    {
        if (r.GetValue(s_request) is { } json) return JsonSerializer.Deserialize(json, ProtocolJson.Default.DiagnosticsRequest) ?? throw Wrong("--request is null");
        if (r.GetValue(s_deadline) is < 1 or > 86400) throw Wrong($"--deadline: {r.GetValue(s_deadline)} is not allowed; 1 to 86400");
        if (r.GetValue(s_members) is < 1 or > 64) throw Wrong($"--members: {r.GetValue(s_members)} is not allowed; 1 to 64");
        var group = GroupOf(r);
        if (r.GetValue(s_set) is DiagnosticsSet.Network && group is null && r.GetValue(s_members) == 1) throw Wrong("--set network needs --members or --addresses: a network is tested with others");
        return new() { Id = "by-hand", Set = r.GetValue(s_set), DeadlineSeconds = r.GetValue(s_deadline), Group = group };
    }

    private static DiagnosticsGroup? GroupOf(ParseResult r)
    {
        if (r.GetValue(s_addresses) is not { } list) return null;
        EquatableList<string> addresses = [.. list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];
        var rank = r.GetValue(s_rank);
        if (addresses.Count < 2) throw Wrong($"--addresses: \"{list}\" names {addresses.Count} machines; at least 2");
        if (rank < 0 || rank >= addresses.Count) throw Wrong($"--rank: {rank} is not allowed; 0 to {addresses.Count - 1}");
        return new() { Members = addresses, Addresses = addresses, Rank = rank, Port = r.GetValue(s_port) };
    }

    private static TrainerException Wrong(string message) => new(WorkerExit.Usage, message);

    private static int WorkerDescriptor() =>
        int.TryParse(Environment.GetEnvironmentVariable(WorkerEnvironment.ChannelVariable), NumberStyles.None, CultureInfo.InvariantCulture, out var descriptor) ? descriptor : throw Wrong($"--agent: {WorkerEnvironment.ChannelVariable} is not set");

    private static void ExitAtOnce(int code) => _exit(code);

    [LibraryImport("libc")]
    private static partial void _exit(int code);
}
