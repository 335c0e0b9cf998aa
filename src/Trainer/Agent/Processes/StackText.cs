using System.Text;
using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Trainer.Agent.Processes;

/// <summary>Threads as text for the log, one a line.</summary>
internal static class StackText
{
    private const int Most = 8192;

    public static string Of(EquatableList<ThreadStack> threads)
    {
        var text = new StringBuilder();
        foreach (var thread in threads)
        {
            text.Append($"\n  {thread.Id} {thread.Name} {thread.State} {thread.SleepsIn ?? "-"} {thread.SystemCall ?? "-"}");
            foreach (var frame in thread.Kernel) text.Append($"\n    {frame}");
        }

        return text.Length <= Most ? text.ToString() : text.ToString(0, Most);
    }
}
