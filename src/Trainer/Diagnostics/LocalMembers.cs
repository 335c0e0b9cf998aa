using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Trainer.Agent;
using Opt.Trainer.Workers;

namespace Opt.Trainer.Diagnostics;

/// <summary>Members that are processes of this machine, each running the same diagnostics with its own rank.</summary>
internal static class LocalMembers
{
    public static async Task<int> RunAsync(int count, DiagnosticsRequest request, bool json, CancellationToken ct)
    {
        EquatableList<string> names = [.. Enumerable.Range(0, count).Select(i => $"member-{i}")], addresses = [.. names.Select(_ => "127.0.0.1")];
        var port = FreePort();
        var reports = await Task.WhenAll(Enumerable.Range(0, count).Select(rank =>
            RunOneAsync(request with { Group = new() { Members = names, Addresses = addresses, Rank = rank, Port = port } }, count, ct)));
        for (var rank = 0; rank < count; rank++)
        {
            if (json) Console.Out.WriteLine(JsonSerializer.Serialize(reports[rank], ProtocolJson.Default.DiagnosticsReport));
            else ReportText.Table(Console.Out, reports[rank], names[rank]);
        }

        return (int)DiagnoseCommand.ExitOf(reports);
    }

    private static async Task<DiagnosticsReport> RunOneAsync(DiagnosticsRequest request, int members, CancellationToken ct)
    {
        var command = AgentOptions.OwnProgram("diagnose", "--json", "--request", JsonSerializer.Serialize(request, ProtocolJson.Default.DiagnosticsRequest));
        var start = new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardOutput = true };
        start.Environment["OPT_NODE_NAME"] = request.Group!.Members[request.Group.Rank];
        foreach (var (name, value) in ThreadPools.Variables(Math.Max(1, Environment.ProcessorCount / members))) start.Environment.TryAdd(name, value);
        using var process = Process.Start(start)!;
        await using var stop = ct.Register(() => process.Kill(entireProcessTree: true));
        var said = await process.StandardOutput.ReadToEndAsync(ct);
        await process.WaitForExitAsync(ct);
        try
        {
            return JsonSerializer.Deserialize(said, ProtocolJson.Default.DiagnosticsReport)!;
        }
        catch (JsonException)
        {
            var how = string.Create(CultureInfo.InvariantCulture, $"{request.Group.Members[request.Group.Rank]} ended with {process.ExitCode} and without a report");
            return new() { Id = request.Id, Set = request.Set, State = DiagnosticsState.Incomplete, Tests = [new() { Test = "", Outcome = DiagnosticOutcome.Incomplete, Detail = how }] };
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
