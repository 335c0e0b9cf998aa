using System.Net;
using System.Net.Sockets;
using Opt.Api.Protocol;
using Opt.Torch;
using static Opt.Torch.torch;

namespace Opt.Trainer.Agent;

/// <summary>c10d's TCPStore in this process.</summary>
internal sealed class TorchRendezvousHost : IRendezvousHost
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    public IDisposable Listen(int port)
    {
        RequireFree(port);
        try
        {
            return new distributed.TCPStore("127.0.0.1", port, is_server: true, Deadline);
        }
        catch (TorchUnavailableException)
        {
            throw;
        }
        catch (TorchException e)
        {
            throw new TrainerException(e.Message.Contains("already in use", StringComparison.OrdinalIgnoreCase) ? WorkerExit.PortInUse : WorkerExit.Rendezvous,
                $"the rendezvous store could not listen on port {port}: {e.Message.Split('\n', 2)[0]}", e);
        }
    }

    /// <summary>libtorch binds the wildcard address and says little when it cannot, so the port is tried first.</summary>
    private static void RequireFree(int port)
    {
        try
        {
            using var probe = new TcpListener(IPAddress.IPv6Any, port) { ExclusiveAddressUse = true };
            probe.Server.DualMode = true;
            probe.Start();
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            throw new TrainerException(WorkerExit.PortInUse, $"the rendezvous port {port} is taken", e);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressFamilyNotSupported or SocketError.ProtocolFamilyNotSupported)
        {
            // No IPv6 here; libtorch says what is wrong, if anything is.
        }
    }
}
