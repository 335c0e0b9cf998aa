using System.CommandLine;
using Opt.Kubernetes;
using Opt.KubectlOpt.Cluster;

namespace Opt.KubectlOpt.Cli;

/// <summary>Runs a command against the cluster of the command line; what goes wrong is one line on standard error, as kubectl's.</summary>
internal sealed class Runner(Terminal terminal)
{
    public Terminal Terminal => terminal;

    public void Handle(Command command, Func<ParseResult, JobCluster, Terminal, CancellationToken, Task<int>> act) => command.SetAction((parsed, ct) => GuardAsync(async () =>
    {
        using var cluster = Options.Connect(parsed, terminal.Clock);
        return await act(parsed, cluster, terminal, ct);
    }, ct));

    public async Task<int> GuardAsync(Func<Task<int>> act, CancellationToken ct)
    {
        try
        {
            return await act();
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            return ExitCodes.Done;   // Ctrl-C is how one leaves a view that goes on
        }
        catch (CommandException e)
        {
            return Failed($"error: {e.Message}", e.ExitCode);
        }
        catch (KubernetesException e)
        {
            return Failed($"Error from server{(e.Reason is { Length: > 0 } reason ? $" ({reason})" : "")}: {e.Status.Message ?? e.Message}", ExitCodes.Failed);
        }
        catch (Exception e) when (e is KubeConfigException or IOException or UnauthorizedAccessException)
        {
            return Failed($"error: {e.Message}", ExitCodes.Failed);
        }
    }

    private int Failed(string message, int exitCode)
    {
        terminal.Error.WriteLine(message);
        return exitCode;
    }
}
