using System.CommandLine;
using System.Net.Sockets;
using Opt.LocalCluster.Cli.Control;

namespace Opt.LocalCluster.Cli;

/// <summary><c>opt-local node kill|cut|start NAME</c>: makes a machine of a running cluster fail, or come back.</summary>
internal static class NodeCommand
{
    public static Command Create() => new("node", "Make a machine of a running cluster fail, or come back.")
    {
        Action("kill", "The machine dies: all its processes get SIGKILL and its kubelet falls silent."),
        Action("cut", "The machine is cut off: its processes go on, its kubelet cannot reach the API server."),
        Action("start", "The machine comes back, and kills what it no longer owns."),
    };

    private static Command Action(string action, string description)
    {
        var name = new Argument<string>("name") { Description = "the node" };
        var state = ClusterFlags.State();
        var command = new Command(action, description) { name, state };
        command.SetAction((parsed, ct) => SendAsync(ClusterFlags.StateDirectory(parsed.GetValue(state)), $"{action} {parsed.GetValue(name)}", ct));
        return command;
    }

    private static async Task<int> SendAsync(string stateDirectory, string line, CancellationToken ct)
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(ControlSocket.PathIn(stateDirectory)), ct);
            await using var stream = new NetworkStream(socket);
            await using var writer = new StreamWriter(stream) { AutoFlush = true };
            using var reader = new StreamReader(stream);
            await writer.WriteLineAsync(line.AsMemory(), ct);
            var answer = await reader.ReadLineAsync(ct) ?? "no answer";
            if (answer == "ok") return 0;
            Console.Error.WriteLine($"opt-local: {answer}");
        }
        catch (SocketException)
        {
            Console.Error.WriteLine($"opt-local: no cluster is running in {stateDirectory}; name the one that is with --state-dir");
        }

        return 1;
    }
}
