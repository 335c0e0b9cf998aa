using System.Net;
using System.Net.Sockets;

namespace Opt.LocalCluster.Kubelet;

/// <summary>
/// Loopback addresses for nodes and pods: <c>127.X.0.N</c> and <c>127.X.y.z</c>. X belongs to one opt-local at a time on this machine, which holds it by listening on
/// <c>127.X.0.1</c>, so that two clusters never share an address.
/// </summary>
internal sealed class PodAddresses : IDisposable
{
    private const int ClaimPort = 9439;
    private const int FirstPod = 256;
    private const int LastPod = (255 * 256) + 254;
    private readonly Lock _gate = new();
    private readonly HashSet<int> _used = [];
    private readonly Socket _claim;
    private readonly int _octet;
    private int _next = FirstPod;

    private PodAddresses(Socket claim, int octet) => (_claim, _octet) = (claim, octet);

    /// <exception cref="InvalidOperationException">All ranges are taken by other clusters.</exception>
    public static PodAddresses Claim()
    {
        for (var octet = 32; octet < 255; octet++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(new IPEndPoint(IPAddress.Parse($"127.{octet}.0.1"), ClaimPort));
                socket.Listen(1);
                return new(socket, octet);
            }
            catch (SocketException)
            {
                socket.Dispose();
            }
        }

        throw new InvalidOperationException("Every loopback range from 127.32 to 127.254 is held by another opt-local.");
    }

    public string Node(int index) => Format(2 + index);

    /// <summary>A pod's address; the one it had before, where that is free.</summary>
    public string Take(string? before)
    {
        lock (_gate)
        {
            if (before is not null && Parse(before) is { } kept && _used.Add(kept)) return before;
            while (_next % 256 is 0 or 255 || !_used.Add(_next)) Advance();
            var taken = _next;
            Advance();
            return Format(taken);
        }
    }

    public void Release(string address)
    {
        lock (_gate)
        {
            if (Parse(address) is { } number) _used.Remove(number);
        }
    }

    public void Dispose() => _claim.Dispose();

    // Addresses are handed out in turn, so that one is not used again soon after its pod has gone.
    private void Advance() => _next = _next >= LastPod ? FirstPod : _next + 1;

    private string Format(int number) => $"127.{_octet}.{number / 256}.{number % 256}";

    private int? Parse(string address) =>
        IPAddress.TryParse(address, out var ip) && ip.GetAddressBytes() is [127, var octet, var high, var low] && octet == _octet && high > 0 ? (high * 256) + low : null;
}
