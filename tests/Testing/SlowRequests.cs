using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Opt.Testing;

/// <summary>Connections that begin a request and never end it, until disposed.</summary>
public sealed class SlowRequests : IAsyncDisposable
{
    private readonly List<Socket> _sockets = [];

    private SlowRequests()
    {
    }

    public static async Task<SlowRequests> OpenAsync(IPEndPoint server, int count, CancellationToken ct)
    {
        var slow = new SlowRequests();
        try
        {
            for (var i = 0; i < count; i++)
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                slow._sockets.Add(socket);
                await socket.ConnectAsync(server, ct);
                await socket.SendAsync(Encoding.ASCII.GetBytes("PUT /v1/plan HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n"), ct);
            }
        }
        catch
        {
            await slow.DisposeAsync();
            throw;
        }

        return slow;
    }

    public ValueTask DisposeAsync()
    {
        foreach (var socket in _sockets) socket.Dispose();
        return ValueTask.CompletedTask;
    }
}
