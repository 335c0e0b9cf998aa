using System.Net.Sockets;

namespace Opt.LocalCluster.Cli.Control;

/// <summary>
/// A Unix socket in the state directory, for its owner alone, that takes one line "ACTION NODE" a connection and answers "ok" or what went wrong.
/// </summary>
internal sealed class ControlSocket : IAsyncDisposable
{
    private const int LongestLine = 512;
    private readonly Socket _listener;
    private readonly Machines _nodes;
    private readonly CancellationTokenSource _stop = new();
    private Task _serving = Task.CompletedTask;

    private ControlSocket(Socket listener, Machines nodes) => (_listener, _nodes) = (listener, nodes);

    public static string PathIn(string stateDirectory) => Path.Combine(stateDirectory, "control.sock");

    public static ControlSocket Start(string stateDirectory, Machines nodes)
    {
        var path = PathIn(stateDirectory);
        File.Delete(path);   // of an opt-local that is gone: the data directory's lock is ours
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        listener.Listen();
        var socket = new ControlSocket(listener, nodes);
        socket._serving = socket.ServeAsync();
        return socket;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _serving;
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var peer = await _listener.AcceptAsync(_stop.Token);
                await AnswerAsync(peer);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException) when (!_stop.IsCancellationRequested)
            {
                // that caller went away; the next one is served
            }
            catch (IOException)
            {
                // likewise
            }
        }
    }

    private async Task AnswerAsync(Socket peer)
    {
        await using var stream = new NetworkStream(peer);
        using var reader = new StreamReader(stream);
        await using var writer = new StreamWriter(stream);
        var line = await reader.ReadLineAsync(_stop.Token) ?? "";
        await writer.WriteLineAsync((line.Length > LongestLine ? "too long" : await DoAsync(line)).AsMemory(), _stop.Token);
    }

    private async Task<string> DoAsync(string line)
    {
        if (line.Split(' ') is not [var action, var node]) return "expected: ACTION NODE";
        if (!_nodes.Names.Contains(node)) return $"there is no node {node}; there are {string.Join(", ", _nodes.Names.Order(StringComparer.Ordinal))}";
        try
        {
            return await DoAsync(action, node);
        }
        catch (InvalidOperationException e)
        {
            return e.Message;   // cutting off a machine that is dead
        }
    }

    private async Task<string> DoAsync(string action, string node)
    {
        switch (action)
        {
            case "kill":
                await _nodes.KillAsync(node, _stop.Token);
                return "ok";
            case "cut":
                await _nodes.CutAsync(node, _stop.Token);
                return "ok";
            case "start":
                await _nodes.ReturnAsync(node, _stop.Token);
                return "ok";
            default:
                return $"\"{action}\" is not an action; kill, cut or start";
        }
    }
}
