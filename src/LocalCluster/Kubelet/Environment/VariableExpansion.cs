using System.Text;

namespace Opt.LocalCluster.Kubelet.Environment;

/// <summary>Kubernetes' <c>$(NAME)</c> references: an unknown name stays as it is written, <c>$$</c> is one dollar sign.</summary>
internal static class VariableExpansion
{
    public static string Expand(string text, IReadOnlyDictionary<string, string> variables)
    {
        var result = new StringBuilder(text.Length);
        for (var at = 0; at < text.Length; at++)
        {
            if (text[at] != '$' || at + 1 == text.Length)
            {
                result.Append(text[at]);
            }
            else if (text[at + 1] == '$')
            {
                result.Append('$');
                at++;
            }
            else if (text[at + 1] == '(' && text.IndexOf(')', at) is var end and > 0)
            {
                var name = text[(at + 2)..end];
                result.Append(variables.GetValueOrDefault(name) ?? text[at..(end + 1)]);
                at = end;
            }
            else
            {
                result.Append('$');
            }
        }

        return result.ToString();
    }
}
