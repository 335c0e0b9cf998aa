using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Opt.LocalCluster.Cli.Run;

/// <summary>Where the operator serves its page during a run, and a bearer token that signs in there, made for this run alone.</summary>
internal sealed record DashboardLink(int Port, string Token)
{
    /// <summary>Signs in by itself: the page takes the token out of the fragment, which browsers send to nobody.</summary>
    public string Address => $"http://{IPAddress.Loopback}:{Port}/#token={Token}";

    /// <param name="wanted">When it is taken, or 0, any free port.</param>
    public static DashboardLink On(int wanted) => new(Free(wanted) ?? Free(0)!.Value, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));

    private static int? Free(int port)
    {
        using var probe = new TcpListener(IPAddress.Loopback, port);
        try
        {
            probe.Start();
            return ((IPEndPoint)probe.LocalEndpoint).Port;
        }
        catch (SocketException)
        {
            return null;   // taken
        }
    }
}
