using Opt.LocalCluster.ApiServer;

namespace Opt.LocalCluster.Cli;

/// <summary>The one place where a command's failure becomes a line and an exit code.</summary>
internal static class Failures
{
    /// <summary>130 when stopped, 1 for what the user can mend; anything else is a fault of ours and is shown whole.</summary>
    public static async Task<int> ReportAsync(Func<Task<int>> command, CancellationToken ct)
    {
        try
        {
            return await command();
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            Console.Error.WriteLine("opt-local: stopped");
            return 130;
        }
        catch (Exception e) when (e is UsageException or IOException or ApiException)
        {
            Console.Error.WriteLine($"opt-local: {e.Message}");
            return 1;
        }
    }
}
