namespace Opt.KubectlOpt.Cli;

/// <summary>How the plugin ends; kubectl hands it on.</summary>
internal static class ExitCodes
{
    public const int Done = 0;

    /// <summary>Not found, refused by the API server or the operator, or no answer.</summary>
    public const int Failed = 1;

    /// <summary>The command line is wrong.</summary>
    public const int Usage = 2;

    /// <summary>The request was made, but the operator did not answer in time.</summary>
    public const int NotAnswered = 3;
}

/// <summary>A command cannot go on; the message is for the user.</summary>
internal sealed class CommandException(string message, int exitCode = ExitCodes.Failed) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}
